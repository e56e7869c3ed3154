"""The HTTP client of the adapters that speak HTTP: whom it trusts, how it shows who it is.

What an agency answers is held to its bounds, and classed by what the hub does next. No text of an
agency's goes into an error: it could tell of a person.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import email.utils
import functools
import ssl
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode, urljoin, urlsplit

import aiohttp
import orjson
from aiohttp.http_exceptions import ContentEncodingError
from multidict import CIMultiDict
from yarl import URL

from sources import trace
from sources.adapter import (
    ContractBroken,
    Question,
    SourceRefused,
    SourceUnavailable,
    expand,
)
from sources.declaration import Source
from sources.http import HttpTable, OAuth2, Signature, Told

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_LONGEST_TOKEN = 65_536
"""Most bytes of a token service's answer."""
_LEEWAY = 30.0
"""Seconds before its end that a token is no longer used."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes out; headers are found whatever their case."""

    method: str
    url: str
    headers: MutableMapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """An agency's answer, read whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def check(self) -> None:
        """Raise SourceError where the status is no 200."""
        if self.status == 200:
            return
        said = f"the source answered {self.status}"
        if self.status in (429, 502, 503, 504):
            raise SourceUnavailable(said, retry_after(self.headers), passing=True)
        if self.status >= 500:
            raise SourceUnavailable(said)
        if self.status >= 400:
            raise SourceRefused(f"the source refused the question with {self.status}")
        raise ContractBroken(said)

    def json(self, depth: int) -> Any:
        """The document in it. Raises ContractBroken where it is none, or nests too deep."""
        try:
            document = orjson.loads(self.content)
        except orjson.JSONDecodeError as error:
            raise ContractBroken("the answer is no JSON") from error
        if not _is_shallow(self.content, depth):
            check_depth(document, depth)
        return document


_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _is_shallow(content: bytes, depth: int) -> bool:
    """Whether a document is known by its brackets to nest no deeper; those in text count too."""
    left = content.translate(None, _ALL_BUT_BRACKETS)
    for _ in range(depth // 2):
        if not left:
            return True
        # Of what is left, this takes one or two levels away.
        left = left.replace(b"{}", b"").replace(b"[]", b"")
    return not left


def check_depth(document: Any, depth: int) -> None:
    """Raise ContractBroken where a document nests deeper."""
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(depth):
        level = [
            entry
            for part in level
            for entry in (part.values() if isinstance(part, dict) else part)
            if isinstance(entry, (dict, list))
        ]
        if not level:
            return
    raise ContractBroken(f"the answer nests deeper than {depth}")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks to wait, as a number or a date (RFC 9110, 10.2.3)."""
    said = headers.get("retry-after", "").strip()
    if said.isdecimal() and len(said) < 9:
        return float(said)
    try:
        day = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    if day.tzinfo is None:
        day = day.replace(tzinfo=datetime.UTC)
    return max((day - datetime.datetime.now(datetime.UTC)).total_seconds(), 0.0)


class HttpClient:
    """Sends one source's requests over pooled connections; keeps no cookie of an agency's."""

    def __init__(self, source: Source, table: HttpTable) -> None:
        self._most = source.terms.limits.bytes
        self._redirects = table.redirects
        self._told = table.context
        self._base = expand(table.url).rstrip("/")
        self._headers = {name: expand(text) for name, text in table.headers.items()}
        self._connections = source.terms.pool.connections
        tls = table.tls
        files = (tls.authority, tls.certificate, tls.key) if tls else (None, None, None)
        self._trusting = trusting(*(expand(file) if file else None for file in files))
        self._tokens = Tokens(table.oauth2, self) if table.oauth2 else None
        self._sign = Signing(table.signature) if table.signature else None

    @functools.cached_property
    def _session(self) -> aiohttp.ClientSession:
        """The pool, made at the first request: it belongs to the event loop that runs then."""
        connector = aiohttp.TCPConnector(ssl=self._trusting, limit=self._connections)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),  # the deadline is the call's, kept where all are
        )

    async def send(
        self,
        question: Question,
        path: str,
        *,
        method: str = "POST",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Answered:
        """Send a request and read its answer, whatever its status. Raises SourceError."""
        said = CIMultiDict(self._headers)
        said.update(headers or JSON)
        said.update(told_headers(self._told, question))
        address = f"{self._base}{path}"
        if parameters:
            address = f"{address}?{urlencode(parameters)}"
        request = Request(method, address, said, content or b"")
        if self._tokens is None:
            return await self._exchange(request)
        token = await self._tokens.get()
        answered = await self._exchange(_bearing(request, token))
        if answered.status == 401:
            # A token may be taken back before its time.
            token = await self._tokens.get(but=token)
            answered = await self._exchange(_bearing(request, token))
        return answered

    async def _exchange(self, request: Request) -> Answered:
        for _ in range(self._redirects + 1):
            if self._sign is not None:
                self._sign(request)
            answered = await self.read(request, self._most)
            trace.tell(partial(_exchanged, request, answered))
            if answered.status not in (301, 302, 303, 307, 308) or not self._redirects:
                return answered
            request = _redirected(request, answered)
        raise ContractBroken("the source redirects without end")

    async def read(self, request: Request, most: int) -> Answered:
        """Send a request; read its answer no further than `most` bytes. Raises SourceError."""
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.content or None,
                headers=request.headers,
                allow_redirects=False,
            ) as response:
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > most:
                        raise ContractBroken(f"the answer has more than {most} bytes")
                return Answered(response.status, response.headers, bytes(content))
        except aiohttp.ClientResponseError as error:
            raise ContractBroken("the answer is not HTTP as it should be") from error
        except aiohttp.ClientPayloadError as error:
            if isinstance(error.__cause__, ContentEncodingError):
                raise ContractBroken("the answer is not HTTP as it should be") from error
            raise SourceUnavailable("the source cannot be reached", passing=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise SourceUnavailable("the source cannot be reached", passing=True) from error

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._session.close()


def _exchanged(request: Request, answered: Answered) -> trace.Exchange:
    return trace.Exchange(
        line=f"{request.method} {request.url}",
        headers=dict(request.headers),
        body=request.content,
        status=str(answered.status),
        answer_headers=dict(answered.headers),
        answer=answered.content,
    )


def _redirected(request: Request, answered: Answered) -> Request:
    """The request where it was sent on to. Raises ContractBroken where it must not go."""
    try:
        address = urljoin(request.url, answered.headers.get("location", ""))
        same = _origin(address) == _origin(request.url)
    except ValueError as error:
        raise ContractBroken("the source redirects to no address") from error
    if not same or answered.status not in (307, 308):
        raise ContractBroken("the source redirects to another service, or asks otherwise")
    return replace(request, url=address)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port


def told_headers(told: Told, question: Question) -> dict[str, str]:
    """The declared headers with what the question says of why it is asked, and by whom."""
    context = question.context
    pairs = (
        (told.purpose, context.purpose),
        (told.legal_basis, context.legal_basis),
        (told.case, context.case),
        (told.operation, context.operation),
        (told.user, context.user),
    )
    return {name: value for name, value in pairs if name is not None and value}


@functools.cache
def trusting(authority: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """TLS with the authorities trusted, and the hub's own certificate where it has one.

    One for all sources of the same files: reading the authorities takes longer than all the rest
    of making a client.
    """
    context = ssl.create_default_context(cafile=authority)
    if certificate and key:
        context.load_cert_chain(certificate, key)
    return context


def _bearing(request: Request, token: str) -> Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


class Tokens:
    """Access tokens by client credentials (RFC 6749, section 4.4), each used until its end."""

    def __init__(self, table: OAuth2, client: HttpClient) -> None:
        self._table = table
        self._client = client
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def get(self, but: str | None = None) -> str:
        """A token, another one than `but`. Raises SourceError."""
        async with self._lock:
            if self._token in ("", but) or time.monotonic() > self._until:
                await self._fetch()
            return self._token

    async def _fetch(self) -> None:
        table = self._table
        form = {"grant_type": "client_credentials"}
        if table.scope:
            form["scope"] = table.scope
        named = (expand(table.client_id), expand(table.client_secret))
        if table.credentials == "body":
            form |= {"client_id": named[0], "client_secret": named[1]}
        headers = CIMultiDict({"Content-Type": "application/x-www-form-urlencoded"})
        if table.credentials == "header":
            # Each is encoded as in a form first (RFC 6749, section 2.3.1).
            pair = ":".join(map(quote_plus, named)).encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        request = Request("POST", expand(table.token_url), headers, urlencode(form).encode())
        answered = await self._client.read(request, _LONGEST_TOKEN)
        if answered.status >= 500:
            raise SourceUnavailable("the source's token service fails", passing=True)
        if answered.status != 200:
            raise SourceRefused(f"the source's token service answered {answered.status}")
        try:
            document = orjson.loads(answered.content)
            token, life = document["access_token"], document.get("expires_in", 60)
            self._until = time.monotonic() + max(float(life) - _LEEWAY, 1.0)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SourceRefused("the source's token service gives no token") from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SourceRefused("the source's token service gives no token")
        self._token = token


class Signing:
    """Signs requests (RFC 9421), their content by its digest (RFC 9530)."""

    def __init__(self, table: Signature) -> None:
        # Imported only where a source is signed to.
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
        from http_message_signatures import (  # noqa: PLC0415
            ContentDigest,
            HTTPMessageSigner,
            MappingKeyResolver,
            algorithms,
        )

        self._table = table
        self._digest = ContentDigest.create
        key: Any = load_pem_private_key(Path(expand(table.key)).read_bytes(), password=None)
        self._key_id = expand(table.key_id)
        by_name = {
            "ed25519": algorithms.ED25519,
            "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
            "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
        }
        self._signer = HTTPMessageSigner(
            signature_algorithm=by_name[table.algorithm],
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={self._key_id: key}),
        )

    def __call__(self, request: Request) -> None:
        """Put the signature's headers on a request, in the place of earlier ones."""
        for name in ("Signature", "Signature-Input", "Content-Digest"):
            request.headers.pop(name, None)
        request.headers["Content-Digest"] = self._digest(request.content)
        covers = [
            name for name in self._table.covers if name.startswith("@") or name in request.headers
        ]
        self._signer.sign(
            request,
            key_id=self._key_id,
            covered_component_ids=covers,
            label="hub",
            use_existing_digest=True,
        )
