"""What the adapters that speak HTTP share: `[…]` keys of their tables, and their client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from sources.adapter import expand, unset
from sources.address import is_secure
from sources.declaration import Source
from sources.fault import Fault
from sources.table import Written, variable_faults
from sources.terms import Strict


class Told(Strict):
    """The headers in which the agency wants to be told why it is asked, and by which official."""

    purpose: str | None = None
    legal_basis: str | None = None
    case: str | None = None
    operation: str | None = None
    user: str | None = None


class OAuth2(Strict):
    """Where an access token is got by client credentials (RFC 6749, section 4.4)."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None
    credentials: Literal["header", "body"] = "header"


class Tls(Strict):
    """The hub's own certificate and key (mutual TLS), and whose certificates are trusted: files."""

    certificate: str | None = None
    key: str | None = None
    authority: str | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate and its key go together; give both")
        return self


class Signature(Strict):
    """How requests are signed (RFC 9421), with the key in a PEM file."""

    key: str
    key_id: str
    algorithm: Literal["ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512"] = "ed25519"
    covers: tuple[str, ...] = ("@method", "@target-uri", "content-type", "content-digest")


class HttpTable(Written):
    """The keys that every adapter over HTTP has."""

    url: str
    plain_http: bool = False
    redirects: int = Field(default=0, ge=0, le=5)
    headers: dict[str, str] = Field(default_factory=dict)
    context: Told = Told()
    oauth2: OAuth2 | None = None
    tls: Tls | None = None
    signature: Signature | None = None


def told_of(table: HttpTable, *more: str) -> frozenset[str]:
    """The parts of the context that the agency is told, in headers or otherwise (`more`)."""
    declared = (name for name in ("legal_basis", "case", "user") if getattr(table.context, name))
    return frozenset((*declared, *more))


_CREDENTIAL = re.compile(r"authorization|cookie|key|token|secret|password", re.IGNORECASE)


def http_faults(source: Source, table: HttpTable) -> list[Fault]:
    """Every fault of the keys that adapters over HTTP share, unset variables included."""
    told = [
        *(_address_fault(table, keys, text) for keys, text in _addresses(table).items()),
        *(_secret_fault(keys, text) for keys, text in _secrets(table).items()),
        *(_file_fault(keys, text) for keys, text in _files(table).items()),
    ]
    describe = source.places.describe
    return variable_faults(source, table) + [
        Fault(source.file, describe((source.adapter, *keys)), message, remedy)
        for keys, message, remedy in filter(None, told)
    ]


_Keys = tuple[str, ...]
_Told = tuple[_Keys, str, str] | None


def _addresses(table: HttpTable) -> dict[_Keys, str]:
    found: dict[_Keys, str] = {("url",): table.url}
    if table.oauth2 is not None:
        found["oauth2", "token_url"] = table.oauth2.token_url
    return found


def _secrets(table: HttpTable) -> dict[_Keys, str]:
    found: dict[_Keys, str] = {("headers", name): text for name, text in table.headers.items()}
    if table.oauth2 is not None:
        found["oauth2", "client_secret"] = table.oauth2.client_secret
    return found


def _files(table: HttpTable) -> dict[_Keys, str]:
    parts = {"tls": table.tls, "signature": table.signature}
    return {
        (section, name): text
        for section, part in parts.items()
        for name in ("certificate", "key", "authority")
        if (text := getattr(part, name, None)) is not None
    }


def _address_fault(table: HttpTable, keys: _Keys, text: str) -> _Told:
    if unset(text):
        return None
    address = urlsplit(expand(text))
    if address.scheme not in ("https", "http") or not address.hostname:
        return keys, "is no address of a service", "write it like `https://host/path`"
    if address.query or address.fragment or address.username:
        return keys, "has more than a host and a path", "leave out query, fragment and user"
    if not table.plain_http and not is_secure(expand(text)):
        remedy = "use `https`, or declare `plain_http = true` on a network that others keep secret"
        return keys, "is read by whoever is on the way", remedy
    return None


def _secret_fault(keys: _Keys, text: str) -> _Told:
    if "${" in text or not _CREDENTIAL.search(keys[-1]):
        return None
    return keys, "a credential stands in the file", "name a variable, as `${TAX_TOKEN}`"


def _file_fault(keys: _Keys, text: str) -> _Told:
    if unset(text) or Path(expand(text)).is_file():
        return None
    return keys, "the environment has no file there", "correct its path"
