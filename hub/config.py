"""Settings, read once: `hub.toml`, then the environment. Every fault is reported at once."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

import authz
import schema
import sources
from sources.address import is_loopback, is_secure
from sources.fault import Fault, FaultyConfiguration, Places, shape_faults

_ROOT = Path(__file__).resolve().parent.parent


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _words(value: Any) -> Any:
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


def _own(address: str | None) -> str | None:
    if address is not None and (not is_secure(address) or "?" in address or "#" in address):
        raise ValueError("is no address for tokens to be sent to; give an `https` address")
    return address


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            ipaddress.ip_network(name)
        except ValueError as error:
            raise ValueError("one is no address or network; name each, as `10.0.0.0/8`") from error
    return names


class Server(_Section):
    """Where the hub listens, and how it stops."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    drain: int = Field(10, ge=0, description="Seconds that running requests have at SIGTERM.")
    url: Annotated[str | None, AfterValidator(_own)] = Field(
        None,
        description="Address clients reach the hub by, without `/graphql`; DPoP proofs name it.",
    )

    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_hosts)] = (
        Field((), description="Proxies whose `X-Forwarded-For` is believed: addresses, networks.")
    )

    @property
    def endpoint(self) -> str | None:
        """The address of the GraphQL endpoint as clients know it, where that is known here."""
        return None if self.url is None else f"{self.url.rstrip('/')}/graphql"


def _pairs(value: Any) -> Any:
    """`caseworker=require, policy=log` as the environment has it, as a table."""
    if not isinstance(value, str):
        return value
    return {
        role.strip(): mode.strip()
        for role, _, mode in (part.partition("=") for part in value.split(","))
    }


_IMPORT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")


def _imports(paths: dict[str, str]) -> dict[str, str]:
    for path in paths.values():
        if _IMPORT.match(path) is None:
            raise ValueError(f"`{path}` is no import path; write it as `package.module:Class`")
    return paths


class Sources(_Section):
    """Which agencies the hub asks."""

    enabled: Annotated[list[str], BeforeValidator(_words)] = Field(
        description="Names of the enabled declarations, in the order they are shown."
    )
    catalogue: Path = Field(
        Path(str(sources.__file__)).parent / "catalogue", description="Folder of declarations."
    )
    adapters: Annotated[dict[str, str], BeforeValidator(_pairs), AfterValidator(_imports)] = Field(
        default_factory=dict, description="Adapters of your own by name: `package.module:Class`."
    )
    registers: Path = Field(
        Path(str(sources.__file__)).parent / "registers",
        description="Folder of declarations of registers that are no part of the view.",
    )


class Roles(_Section):
    """Which enabled source holds what the rules of access rest on."""

    identity: str = Field(description="The source that holds identity and household.")
    cases: str = Field(description="The source that holds cases.")
    officials: str | None = Field(
        None, description="The register that knows who works in which office."
    )


class PurposeRegister(_Section):
    """Where the purposes are."""

    folder: Path = Field(
        Path(str(authz.__file__)).parent / "purposes", description="Folder of the purpose register."
    )


class Log(_Section):
    """Where the query log is kept."""

    store: str = Field(
        description="SQLAlchemy address: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://…`."
    )
    pseudonym_key: Path = Field(description="File with the key that makes subjects' pseudonyms.")
    sealing_key: Path = Field(
        description="File with the key under which the keys of records' details are kept."
    )
    signing_key: Path = Field(description="File with the key that signs the log's checkpoints.")
    former_keys: Path | None = Field(
        None, description="File with the verifier keys of those that signed before, one a line."
    )
    witnesses: Path | None = Field(
        None, description="File with the verifier keys of the witnesses, one a line."
    )
    batch: int = Field(512, ge=1, description="Most records committed together.")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("is no time zone; give a name such as `Asia/Seoul`") from error
    return name


class Audit(_Section):
    """What the log is looked at by, and what recipients are told of it."""

    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "Asia/Seoul", description="Time zone of the offices (IANA)."
    )
    from_hour: int = Field(8, ge=0, le=23, description="Hour at which working hours begin.")
    until_hour: int = Field(19, ge=1, le=24, description="Hour at which working hours end.")
    holidays: str | None = Field(
        "KR", description="Country whose public holidays count (ISO 3166-1), if any."
    )
    show_official: bool = Field(
        False, description="Whether recipients are told which official looked."
    )
    webhook: Annotated[str | None, AfterValidator(_own)] = Field(
        None, description="Address that `hub log watch` posts what it found to."
    )


class Limits(_Section):
    """What one request may be."""

    body_bytes: int = Field(65_536, ge=1024, description="Most bytes of a request body.")
    tokens: int = Field(2_000, ge=10, description="Most tokens of a document.")
    depth: int = Field(12, ge=2, description="Deepest nesting of fields.")
    aliases: int = Field(60, ge=0, description="Most aliases, fragments counted where spread.")
    fields: int = Field(1_000, ge=10, description="Most fields, fragments counted where spread.")
    ids: int = Field(500, ge=1, description="Most ids in one operation.")
    cost: int = Field(
        100_000, ge=100, description="Most fields times people, those in lists weighed eightfold."
    )
    rounds: int = Field(6, ge=3, description="Most rounds of calls to the sources.")
    seconds: float = Field(
        20.0, gt=0, le=600, description="Seconds that an operation has for asking its sources."
    )


def _shared(address: str) -> str:
    parts = urlsplit(address)
    if address == "memory" or (parts.scheme == "valkeys" and parts.hostname):
        return address
    if parts.scheme != "valkey" or not parts.hostname:
        raise ValueError("is no cache; give `memory` or `valkeys://HOST`")
    if not is_loopback(parts.hostname):
        raise ValueError("is read by whoever is on the way; give `valkeys://HOST`")
    return address


class Cache(_Section):
    """Where sources' answers are kept that their terms let stand in, or serve again."""

    store: Annotated[str, AfterValidator(_shared)] = Field(
        "memory", description="`memory`, or `valkeys://HOST` (TLS), which replicas share."
    )
    key: Path | None = Field(
        None, description="File with the key that seals answers (32 random bytes)."
    )
    most: int = Field(100_000, ge=1, description="Most answers kept in memory.")

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if self.store != "memory" and self.key is None:
            raise ValueError("replicas seal answers with one key; give `key`")
        return self


def _secure(address: str | None) -> str | None:
    if address is not None and "://" in address and not is_secure(address):
        raise ValueError("whoever is on the way could change the keys; give an `https` address")
    return address


class Issuer(_Section):
    """An identity provider whose tokens are accepted."""

    issuer: str = Field(description="The `iss` of its tokens.")
    audience: str = Field(description="The `aud` that tokens for this hub carry.")
    keys: Annotated[str | None, AfterValidator(_secure)] = Field(
        None,
        description="Its key set (RFC 7517): a file or an address; without it, its metadata tell.",
    )
    algorithms: tuple[Literal["ES256", "EdDSA", "RS256"], ...] = Field(
        ("ES256", "EdDSA", "RS256"), description="Signature algorithms accepted."
    )
    token_types: tuple[str, ...] = Field(
        ("at+jwt",), description="The `typ` headers accepted (RFC 9068)."
    )
    recipient_claim: str = Field(
        "recipient", description="Claim with the caller's own id as a resident."
    )
    roles_claim: str = Field("roles", description="Claim with the caller's roles.")
    office_claim: str = Field("office", description="Claim with the caller's office.")
    district_claim: str = Field("district", description="Claim with the caller's district.")
    dpop: Literal["optional", "required"] = Field(
        "optional", description="Whether its tokens must be bound to a key (DPoP, RFC 9449)."
    )

    @model_validator(mode="after")
    def _findable(self) -> Self:
        if self.keys is None and not is_secure(self.issuer):
            raise ValueError("its keys cannot be found; give `keys` or an `https` issuer")
        return self


class StatisticsRules(_Section):
    """How questions about populations are answered."""

    minimum_cell: int = Field(10, ge=10, description="Least people of a count that is released.")
    questions_per_day: int = Field(
        100, ge=1, description="Questions that an office may ask in 24 hours."
    )
    drawn: Path = Field(
        Path("hub-drawn"), description="Folder for deliveries drawn from agencies' views."
    )


class Reviews(_Section):
    """Reviews of caseloads."""

    folder: Path = Field(Path("reviews"), description="Folder in which reviews are kept.")


class IdentityRules(_Section):
    """What is made of how a person's tokens are used."""

    two_places: Literal["tell", "refuse"] = Field(
        "tell", description="What to do where a person's tokens are in use from two places."
    )
    two_places_minutes: int = Field(
        5, ge=1, le=1440, description="Minutes within which two places are noticed."
    )


Mode = Literal["off", "log", "require"]


class TrustedDocuments(_Section):
    """Which documents may be asked."""

    manifest: Path | None = Field(None, description="File of the trusted documents.")
    mode: Mode = Field(
        "require", description="What becomes of others: nothing, a line of log, a refusal."
    )
    roles: Annotated[dict[str, Mode], BeforeValidator(_pairs)] = Field(
        default_factory=dict, description="The mode of roles for which it is another."
    )

    @model_validator(mode="after")
    def _requires_some(self) -> Self:
        if self.manifest is None and "require" in (self.mode, *self.roles.values()):
            raise ValueError(
                "documents are required of a manifest; give `manifest`, or say another `mode`"
            )
        return self


class Console(_Section):
    """The web pages."""

    demo: Path | None = Field(
        None, description="Demo only: a file of persons and tokens that the page offers to anyone."
    )
    client_id: str | None = Field(
        None, description="The page's name at the first issuer, for people to sign in there."
    )
    scope: str = Field("openid", description="The `scope` the page asks for.")
    resource: str | None = Field(
        None, description="The `resource` (RFC 8707) the page asks a token for."
    )


def _some(issuers: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
    # pydantic's own `min_length` would call an issuer with a fault none at all.
    if not issuers:
        raise ValueError("there is no issuer; add an `[[issuers]]` table")
    names = [issuer.issuer for issuer in issuers]
    if len(set(names)) < len(names):
        raise ValueError("two issuers have the same `issuer`; leave one out")
    return issuers


class Settings(_Section):
    """All settings of a hub."""

    server: Server = Field(default_factory=Server)
    sources: Sources
    roles: Roles
    register_: PurposeRegister = Field(default_factory=PurposeRegister, alias="register")
    log: Log
    audit: Audit = Field(default_factory=Audit)
    limits: Limits = Field(default_factory=Limits)
    cache: Cache = Field(default_factory=Cache)
    documents: TrustedDocuments = Field(default={}, validate_default=True)
    console: Console = Field(default_factory=Console)
    identity: IdentityRules = Field(default_factory=IdentityRules)
    statistics: StatisticsRules = Field(default_factory=StatisticsRules)
    reviews: Reviews = Field(default_factory=Reviews)
    issuers: Annotated[tuple[Issuer, ...], AfterValidator(_some)]

    @model_validator(mode="after")
    def _provable(self) -> Self:
        if self.server.url is None and any(each.dpop == "required" for each in self.issuers):
            raise ValueError(
                "an issuer's `dpop` is `required`; set `server.url`, which proofs name"
            )
        return self

    @model_validator(mode="after")
    def _signs_in(self) -> Self:
        first = self.issuers[0]
        if self.console.client_id is not None and not is_secure(first.issuer):
            raise ValueError("nobody can sign in at the first issuer; name one that is `https`")
        if self.console.client_id is not None and first.dpop == "required":
            raise ValueError("the page's tokens are bearers'; leave out `console.client_id`")
        return self


_SECTIONS = {field.alias or name for name, field in Settings.model_fields.items()} - {"issuers"}
_PATHS = (
    ("sources", "catalogue"),
    ("register", "folder"),
    ("sources", "registers"),
    ("log", "pseudonym_key"),
    ("log", "sealing_key"),
    ("log", "signing_key"),
    ("log", "former_keys"),
    ("log", "witnesses"),
    ("cache", "key"),
    ("documents", "manifest"),
    ("console", "demo"),
    ("statistics", "drawn"),
    ("reviews", "folder"),
)


def read_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Relative paths are taken from the file's folder.

    Raises FaultyConfiguration.
    """
    environment = os.environ if environment is None else environment
    _check_packages()
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        remedy = "name the file with `--config`"
        raise FaultyConfiguration(
            [Fault(str(path), "the file", f"cannot be read ({error.strerror})", remedy)]
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FaultyConfiguration(
            [Fault(path.name, "the file", f"is not TOML: {error}", "correct the line named")]
        ) from error
    _override(document, environment)
    for section, key in _PATHS:
        table = document.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str(path.parent / table[key])
    for issuer in _issuers(document):
        keys = issuer.get("keys")
        if isinstance(keys, str) and "://" not in keys:
            issuer["keys"] = str(path.parent / keys)
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = shape_faults(path.name, Places(text), error)
        raise FaultyConfiguration(faults) from error


def _override(document: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Put `HUB_<SECTION>_<KEY>` over the file's values; `HUB_ISSUER_<KEY>` over a sole issuer's."""
    for name, value in environment.items():
        section, _, key = name.removeprefix("HUB_").lower().partition("_")
        if not name.startswith("HUB_") or not key:
            continue
        issuers = _issuers(document)
        if section == "issuer" and len(issuers) == 1:
            issuers[0][key] = value
        elif section in _SECTIONS:
            table = document.setdefault(section, {})
            if isinstance(table, dict):
                table[key] = value


def _issuers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The issuers' tables; whatever else stands there, the settings' check tells."""
    found = document.get("issuers")
    return [table for table in found if isinstance(table, dict)] if isinstance(found, list) else []


def _check_packages() -> None:
    """The package index also has a package called `schema`: make sure that ours was imported."""
    if Path(str(schema.__file__)).resolve().parent != _ROOT / "schema":
        raise FaultyConfiguration(
            [
                Fault(
                    "schema",
                    "the import",
                    "another package called `schema` was imported instead of the hub's own",
                    "uninstall it from this environment (`pip uninstall schema`)",
                )
            ]
        )
