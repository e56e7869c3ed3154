"""Settings: from the file, the environment over it, and every fault at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hub.config import Settings, TrustedDocuments, is_secure, read_settings
from sources.fault import FaultyConfiguration

GOOD = """\
[sources]
enabled = ["resident", "benefits"]

[roles]
identity = "resident"
cases = "benefits"

[log]
store = "sqlite+aiosqlite:///log.db"
pseudonym_key = "keys/pseudonym.key"
sealing_key = "keys/sealing.key"
signing_key = "keys/signing.key"

[[issuers]]
issuer = "https://id.example"
audience = "welfare-hub"
keys = "keys/issuer.json"
"""
SECOND = """
[[issuers]]
issuer = "https://other.example"
audience = "welfare-hub"
keys = "https://other.example/keys"
"""

Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads settings with an environment of these variables and no others."""

    def read(text: str = GOOD, **environment: str) -> Settings:
        (tmp_path / "hub.toml").write_text(text, encoding="utf-8")
        return read_settings(tmp_path / "hub.toml", {"HUB_DOCUMENTS_MODE": "off", **environment})

    return read


def faults_of(read: Read, text: str, environment: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(FaultyConfiguration) as caught:
        read(text, **(environment or {}))
    return [str(fault) for fault in caught.value.faults]


def test_settings_are_read_from_the_file(read: Read) -> None:
    settings = read(GOOD + "\n[server]\nport = 9000\n")
    assert settings.sources.enabled == ["resident", "benefits"]
    assert (settings.roles.identity, settings.roles.cases) == ("resident", "benefits")
    assert settings.log.store == "sqlite+aiosqlite:///log.db"
    assert [issuer.issuer for issuer in settings.issuers] == ["https://id.example"]
    assert settings.server.port == 9000


def test_what_the_file_leaves_out_has_its_default(read: Read) -> None:
    settings = read()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert settings.log.batch == 512
    assert settings.issuers[0].algorithms == ("ES256", "EdDSA", "RS256")
    assert settings.issuers[0].token_types == ("at+jwt",)
    assert settings.console.demo is None


def test_the_hubs_own_folders_are_used_unless_told(read: Read) -> None:
    root, settings = Path(__file__).parents[2], read()
    assert settings.sources.catalogue == root / "sources" / "catalogue"
    assert settings.register_.folder == root / "authz" / "purposes"


# Paths


def test_relative_paths_are_taken_from_the_files_folder(read: Read, tmp_path: Path) -> None:
    text = GOOD.replace("[sources]", '[sources]\ncatalogue = "agencies"')
    settings = read(text + '\n[register]\nfolder = "purposes"\n[console]\ndemo = "demo.json"\n')
    assert settings.log.pseudonym_key == tmp_path / "keys" / "pseudonym.key"
    assert settings.sources.catalogue == tmp_path / "agencies"
    assert settings.register_.folder == tmp_path / "purposes"
    assert settings.console.demo == tmp_path / "demo.json"
    assert settings.issuers[0].keys == str(tmp_path / "keys" / "issuer.json")


def test_documents_are_required_where_nothing_else_is_said(tmp_path: Path, read: Read) -> None:
    (tmp_path / "hub.toml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(FaultyConfiguration) as caught:
        read_settings(tmp_path / "hub.toml", {})
    (fault,) = caught.value.faults
    assert "documents are required of a manifest; give `manifest`, or say another `mode`" in str(
        fault
    )
    assert read_settings(tmp_path / "hub.toml", {"HUB_DOCUMENTS_MANIFEST": "m.json"}).documents == (
        TrustedDocuments(manifest=tmp_path / "m.json", mode="require")
    )
    assert read(HUB_DOCUMENTS_MODE="log").documents.mode == "log"


def test_absolute_paths_stay(read: Read) -> None:
    settings = read(GOOD.replace("keys/pseudonym.key", "/etc/hub/pseudonym.key"))
    assert settings.log.pseudonym_key == Path("/etc/hub/pseudonym.key")


def test_an_address_of_keys_stays(read: Read) -> None:
    assert read(GOOD + SECOND).issuers[1].keys == "https://other.example/keys"


@pytest.mark.parametrize("url", ["https://hub.example", "https://hub.example/"])
def test_the_endpoint_is_known_by_the_hubs_address(read: Read, url: str) -> None:
    assert read(HUB_SERVER_URL=url).server.endpoint == "https://hub.example/graphql"
    assert read().server.endpoint is None


def test_an_issuer_may_be_given_without_keys(read: Read) -> None:
    assert read(GOOD.replace('keys = "keys/issuer.json"', "")).issuers[0].keys is None


@pytest.mark.parametrize(
    "address",
    [
        "https://id.example/keys",
        "http://127.0.0.1:9/keys",
        "http://127.8.8.8/keys",
        "http://localhost/keys",
        "http://[::1]:9/keys",
    ],
)
def test_an_address_that_nobody_can_interfere_with_may_give_keys(address: str) -> None:
    assert is_secure(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://id.example/keys",
        "http://localhost.example/keys",
        "http://127.0.0.1.example/keys",
        "http://127.0.0.1@id.example/keys",
        "http://10.0.0.1/keys",
        "http://[::2]/keys",
        "http://[/keys",
        "https:///keys",
        "ftp://127.0.0.1/keys",
        "file:///keys",
        "urn:issuer",
        "",
    ],
)
def test_no_other_address_may_give_keys(address: str) -> None:
    assert not is_secure(address)


def test_a_path_of_the_environment_is_taken_from_the_files_folder_too(
    read: Read, tmp_path: Path
) -> None:
    settings = read(HUB_LOG_PSEUDONYM_KEY="other.key", HUB_ISSUER_KEYS="other.json")
    assert settings.log.pseudonym_key == tmp_path / "other.key"
    assert settings.issuers[0].keys == str(tmp_path / "other.json")


# The environment


def test_the_environment_goes_over_the_file(read: Read) -> None:
    settings = read(
        GOOD + "\n[server]\nport = 9000\n",
        HUB_SERVER_PORT="9001",
        HUB_LOG_STORE="postgresql+asyncpg://db/log",
        HUB_ROLES_IDENTITY="benefits",
    )
    assert settings.server.port == 9001
    assert settings.log.store == "postgresql+asyncpg://db/log"
    assert settings.roles.identity == "benefits"


def test_the_environment_fills_sections_that_the_file_leaves_out(read: Read) -> None:
    settings = read(HUB_LIMITS_BODY_BYTES="2048", HUB_CONSOLE_DEMO="/d.json")
    assert (settings.limits.body_bytes, settings.console.demo) == (2048, Path("/d.json"))


def test_a_list_in_the_environment_is_words_with_commas(read: Read) -> None:
    settings = read(HUB_SERVER_TRUSTED_PROXIES="10.0.0.0/8, ::1", HUB_IDENTITY_TWO_PLACES="refuse")
    assert settings.server.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.identity.two_places == "refuse"
    assert read(HUB_SOURCES_ENABLED="resident, tax").sources.enabled == ["resident", "tax"]


def test_the_environment_goes_over_a_sole_issuer(read: Read) -> None:
    settings = read(HUB_ISSUER_AUDIENCE="hub-2", HUB_ISSUER_ISSUER="https://id2.example")
    (issuer,) = settings.issuers
    assert (issuer.audience, issuer.issuer) == ("hub-2", "https://id2.example")


def test_the_environment_goes_over_none_of_several_issuers(read: Read) -> None:
    settings = read(GOOD + SECOND, HUB_ISSUER_AUDIENCE="hub-2")
    assert [issuer.audience for issuer in settings.issuers] == ["welfare-hub", "welfare-hub"]


@pytest.mark.parametrize("name", ["PATH", "HUB_", "HUB_HOME", "GITHUB_SERVER_PORT", "HUB"])
def test_other_variables_are_no_settings(read: Read, name: str) -> None:
    assert read(**{name: "x"}) == read()


def test_the_processes_own_environment_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hub.toml").write_text(GOOD)
    monkeypatch.setenv("HUB_SERVER_PORT", "9002")
    monkeypatch.setenv("HUB_DOCUMENTS_MODE", "off")
    assert read_settings(tmp_path / "hub.toml").server.port == 9002


# Faults

FAULTS: Mapping[str, tuple[str, dict[str, str], list[str]]] = {
    "an unknown key": (
        GOOD + "\n[server]\nprot = 1\n",
        {},
        ["hub.toml: server.prot (line 20): unknown key `prot`; remove it or correct its spelling"],
    ),
    "an unknown section": (
        GOOD + "\n[servers]\nport = 1\n",
        {},
        ["hub.toml: servers (line 19): unknown key `servers`; remove it or correct its spelling"],
    ),
    "a missing section": (
        GOOD.replace('[roles]\nidentity = "resident"\ncases = "benefits"\n', ""),
        {},
        ["hub.toml: roles: `roles` is missing; add it"],
    ),
    "a missing key": (
        GOOD.replace('store = "sqlite+aiosqlite:///log.db"\n', ""),
        {},
        ["hub.toml: log.store (line 8): `store` is missing; add it"],
    ),
    "a port beyond all ports": (
        GOOD + "\n[server]\nport = 70000\n",
        {},
        [
            "hub.toml: server.port (line 20): input should be less than or equal to 65535; "
            "correct the value"
        ],
    ),
    "an algorithm that anyone with the public key could sign by": (
        GOOD + 'algorithms = ["ES256", "HS256"]\n',
        {},
        [
            "hub.toml: issuers.0.algorithms.1 (line 14): input should be 'ES256', 'EdDSA' or "
            "'RS256'; correct the value"
        ],
    ),
    "an unsigned algorithm": (
        GOOD + 'algorithms = ["none"]\n',
        {},
        [
            "hub.toml: issuers.0.algorithms.0 (line 14): input should be 'ES256', 'EdDSA' or "
            "'RS256'; correct the value"
        ],
    ),
    "no issuer": (
        "issuers = []\n" + GOOD.partition("[[issuers]]")[0],
        {},
        ["hub.toml: issuers (line 1): there is no issuer; add an `[[issuers]]` table"],
    ),
    "keys that anyone on the way could change": (
        GOOD.replace('"keys/issuer.json"', '"http://id.example/keys"'),
        {},
        [
            "hub.toml: issuers.0.keys (line 14): whoever is on the way could change the keys; "
            "give an `https` address"
        ],
    ),
    "an issuer that tells no safe address and has no keys": (
        GOOD.replace('keys = "keys/issuer.json"\n', "").replace("https://id", "http://id"),
        {},
        [
            "hub.toml: issuers.0 (line 14): its keys cannot be found; give `keys` or an `https` "
            "issuer"
        ],
    ),
    "two issuers of one name": (
        GOOD + SECOND.replace('https://other.example"', 'https://id.example"'),
        {},
        [
            "hub.toml: issuers (line 14): two issuers have the same `issuer`; leave one out",
        ],
    ),
    "tokens bound to a key, for a hub without address": (
        GOOD + 'dpop = "required"\n',
        {},
        [
            "hub.toml: the file: an issuer's `dpop` is `required`; set `server.url`, which proofs "
            "name"
        ],
    ),
    "an address that tokens had better not be sent to": (
        GOOD,
        {"HUB_SERVER_URL": "http://hub.example"},
        ["hub.toml: server.url: is no address for tokens to be sent to; give an `https` address"],
    ),
    "a proxy that is no address": (
        GOOD,
        {"HUB_SERVER_TRUSTED_PROXIES": "10.0.0.0/8, *"},
        [
            "hub.toml: server.trusted_proxies: one is no address or network; name each, as "
            "`10.0.0.0/8`"
        ],
    ),
    "nowhere to sign in at": (
        GOOD.replace("https://id", "http://id"),
        {"HUB_CONSOLE_CLIENT_ID": "hub-console"},
        ["hub.toml: the file: nobody can sign in at the first issuer; name one that is `https`"],
    ),
    "a page that signs people in for tokens that are refused": (
        GOOD + 'dpop = "required"\n',
        {"HUB_CONSOLE_CLIENT_ID": "hub-console", "HUB_SERVER_URL": "https://hub.example"},
        ["hub.toml: the file: the page's tokens are bearers'; leave out `console.client_id`"],
    ),
    "issuers that are none": (
        "issuers = 5\n" + GOOD.partition("[[issuers]]")[0],
        {"HUB_ISSUER_KEYS": "x"},
        ["hub.toml: issuers (line 1): input should be a valid tuple; correct the value"],
    ),
    "an issuer that is a text": (
        'issuers = ["x"]\n' + GOOD.partition("[[issuers]]")[0],
        {"HUB_ISSUER_KEYS": "x"},
        ["hub.toml: issuers.0 (line 1): is no table; write it as a table of keys"],
    ),
    "an issuer as a table of its own": (
        GOOD.replace("[[issuers]]", "[issuers]").replace('audience = "welfare-hub"\n', ""),
        {"HUB_ISSUER_KEYS": "x"},
        ["hub.toml: issuers (line 14): input should be a valid tuple; correct the value"],
    ),
    "a section that is no table": (
        "server = 5\n" + GOOD,
        {"HUB_SERVER_PORT": "9000"},
        ["hub.toml: server (line 1): is no table; write it as a table of keys"],
    ),
    "a variable of the wrong type": (
        GOOD,
        {"HUB_SERVER_PORT": "http"},
        [
            "hub.toml: server.port: input should be a valid integer, unable to parse string as "
            "an integer; correct the value"
        ],
    ),
    "a variable that is misspelt": (
        GOOD,
        {"HUB_SERVER_PROT": "9000"},
        ["hub.toml: server.prot: unknown key `prot`; remove it or correct its spelling"],
    ),
    "what is not TOML": (
        "[server\n",
        {},
        [
            "hub.toml: the file: is not TOML: Expected ']' at the end of a table declaration "
            "(at line 1, column 8); correct the line named"
        ],
    ),
}


@pytest.mark.parametrize(("text", "environment", "faults"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_with_file_place_and_remedy(
    read: Read, text: str, environment: dict[str, str], faults: list[str]
) -> None:
    assert faults_of(read, text, environment) == faults


def test_every_fault_is_told_at_once(read: Read) -> None:
    text = GOOD.replace("enabled", "enbled").replace("audience", "audiance")
    text += "\n[limits]\ndepth = 0\n"
    assert [fault.partition(":")[2].partition(":")[0] for fault in faults_of(read, text)] == [
        " sources.enabled (line 1)",
        " sources.enbled (line 2)",
        " limits.depth (line 20)",
        " issuers.0.audience (line 14)",
        " issuers.0.audiance (line 14)",
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(FaultyConfiguration) as caught:
        read_settings(path, {})
    assert [str(fault) for fault in caught.value.faults] == [
        f"{path}: the file: cannot be read (No such file or directory); "
        "name the file with `--config`"
    ]


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_bytes(b"\xff")
    with pytest.raises(FaultyConfiguration, match=r"^hub\.toml: the file: is not TOML: 'utf-8'"):
        read_settings(tmp_path / "hub.toml", {})


def test_settings_cannot_be_changed_once_read(read: Read) -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().server.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("store", "fault"),
    [
        ("valkey://cache.example", "is read by whoever is on the way; give `valkeys://HOST`"),
        ("redis://localhost", "is no cache; give `memory` or `valkeys://HOST`"),
        ("valkeys://", "is no cache; give `memory` or `valkeys://HOST`"),
        ("disk", "is no cache; give `memory` or `valkeys://HOST`"),
    ],
)
def test_a_cache_that_will_not_do_is_told(read: Read, store: str, fault: str) -> None:
    text = f'{GOOD}\n[cache]\nstore = "{store}"\nkey = "k"\n'
    assert faults_of(read, text) == [f"hub.toml: cache.store (line 20): {fault}"]


def test_replicas_seal_what_they_share_with_one_key(read: Read) -> None:
    text = f'{GOOD}\n[cache]\nstore = "valkeys://cache.example"\n'
    assert faults_of(read, text) == [
        "hub.toml: cache (line 19): replicas seal answers with one key; give `key`"
    ]
    assert read(f'{text}key = "keys/cache.key"\n').cache.key is not None
    assert read(f'{GOOD}\n[cache]\nstore = "valkey://127.0.0.1:1"\nkey = "k"\n').cache.most > 0


def test_an_adapter_of_ones_own_is_named_by_import_path(read: Read) -> None:
    named = read(GOOD, HUB_SOURCES_ADAPTERS="lines=agency.lines:Lines").sources.adapters
    assert named == {"lines": "agency.lines:Lines"}
    assert faults_of(read, GOOD, {"HUB_SOURCES_ADAPTERS": "lines=agency/lines.py"}) == [
        "hub.toml: sources.adapters (line 1): `agency/lines.py` is no import path; write it as "
        "`package.module:Class`"
    ]


def test_an_operation_has_some_time(read: Read) -> None:
    assert read().limits.seconds == 20.0
    assert read(GOOD, HUB_LIMITS_SECONDS="2.5").limits.seconds == 2.5
    assert len(faults_of(read, GOOD, {"HUB_LIMITS_SECONDS": "0"})) == 1
