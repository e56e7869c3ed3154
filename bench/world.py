"""What the hub needs to be measured with every control on: keys, tokens, purposes, cases, settings.

Everyone has a case of their own at an office, in a SQLite register; the case register, the purposes
and the tokens are made anew in a folder that is thrown away afterwards.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from hub.querylog.note import Signer

HERE = Path(__file__).resolve().parent
DECLARATIONS = HERE / "declarations"
CASES = 200_000
BLOCK = 50
"""People whose cases lie at the same office, one after the other; see `load.lua`."""
TOKENS = 1_000
FIRST_PERSON = 9_000_000_000_000
_ISSUER, _AUDIENCE = "https://issuer.bench.invalid", "welfare-hub"
_PURPOSE = """title = "Decide on an application, number {number}"
legal_basis = {{ act = "Act of the benchmark", article = "Article {number}", mark = "K" }}
roles = ["caseworker"]
relation = "case"
programmes = ["bench"]

[allow]
categories = ["existence", "identity", "family", "income", "employment", "asset"]
"""
_SETTINGS = """[server]
host = "127.0.0.1"
port = {port}

[sources]
enabled = ["resident", "tax", "labour", "property", "benefits"]
catalogue = "{catalogue}"

[roles]
identity = "benefits"
cases = "benefits"

[register]
folder = "purposes"

[log]
store = "sqlite+aiosqlite:///{folder}/log.db"
pseudonym_key = "pseudonym.key"
sealing_key = "sealing.key"
signing_key = "signing.key"

[documents]
mode = "off"

[[issuers]]
issuer = "{issuer}"
audience = "{audience}"
keys = "issuer.jwks.json"
"""


@dataclass(frozen=True, slots=True)
class World:
    """A hub that can be started: its settings, its tokens, and how many purposes these are for."""

    settings: Path
    tokens: Path
    purposes: int
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        """What starts the hub."""
        return [sys.executable, "-m", "hub.cli", "serve", "--config", str(self.settings)]


def make_world(
    folder: Path, port: int, apart: bool, more: str = "", declarations: Path = DECLARATIONS
) -> World:
    """Write a world, with `more` settings; `apart`: an office and a purpose for each token."""
    folder.mkdir(parents=True)
    purposes = TOKENS if apart else 1
    _keys(folder)
    (folder / "purposes").mkdir()
    for number in range(purposes):
        text = _PURPOSE.format(number=number)
        (folder / "purposes" / f"bench-{number}.toml").write_text(text)
    _case_register(folder / "cases.db", purposes)
    tokens = folder / "tokens"
    tokens.write_text("\n".join(_tokens(folder, purposes)))
    settings = folder / "hub.toml"
    settings.write_text(
        _SETTINGS.format(
            port=port,
            folder=folder,
            catalogue=declarations,
            issuer=_ISSUER,
            audience=_AUDIENCE,
        )
        + more
    )
    return World(
        settings, tokens, purposes, {"BENEFITS_URL": f"sqlite+aiosqlite:///{folder}/cases.db"}
    )


def _keys(folder: Path) -> None:
    for name in ("pseudonym.key", "sealing.key"):
        (folder / name).write_bytes(secrets.token_bytes(32))
    (folder / "signing.key").write_text(f"{Signer.make('bench.invalid/log').text}\n")
    key = ECKey.generate_key("P-256", {"kid": "bench", "use": "sig"})
    (folder / "issuer.key.json").write_text(json.dumps(key.as_dict(private=True)))
    public = {"keys": [key.as_dict(private=False)]}
    (folder / "issuer.jwks.json").write_text(json.dumps(public))


def _tokens(folder: Path, offices: int) -> list[str]:
    """The `Authorization` headers of so many officials."""
    key = ECKey.import_key(json.loads((folder / "issuer.key.json").read_text()))
    now = int(time.time())
    return [
        "Bearer "
        + jwt.encode(
            {"alg": "ES256", "typ": "at+jwt", "kid": "bench"},
            {
                "iss": _ISSUER,
                "aud": _AUDIENCE,
                "sub": f"official-{number}",
                "client_id": "bench",
                "iat": now,
                "exp": now + 6 * 3600,
                "jti": secrets.token_hex(16),
                "roles": ["caseworker"],
                "office": f"office-{number % offices}",
                "recipient": f"official-{number}-as-a-resident",
            },
            key,
        )
        for number in range(TOKENS)
    ]


def _case_register(path: Path, offices: int) -> None:
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE welfare_case (reference TEXT PRIMARY KEY, programme TEXT, household TEXT,"
            " applicant TEXT, office TEXT, state TEXT) WITHOUT ROWID"
        )
        database.executemany(
            "INSERT INTO welfare_case VALUES (?, 'bench', ?, ?, ?, 'open')",
            (
                (
                    f"C{number}",
                    str(FIRST_PERSON + number),
                    str(FIRST_PERSON + number),
                    f"office-{number // BLOCK % TOKENS % offices}",
                )
                for number in range(CASES)
            ),
        )
        database.execute("CREATE INDEX of_applicant ON welfare_case (applicant)")
    database.close()
