"""The demo's own identity provider: keys made at its first start, persons, and their tokens."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from hub.persons import DemoFailed
from hub.querylog.note import Signer

ISSUER = "https://issuer.demo.invalid"
AUDIENCE = "welfare-hub"
TOKEN_SECONDS = 12 * 3600
_ROLES = {"caseworker2": "caseworker"}


def make_keys(folder: Path, sample: Mapping[str, Any]) -> None:
    """Make what is not there yet: the issuer's key pair, the log's keys, the persons' claims."""
    keys = folder / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    private = keys / "issuer.key.json"
    if not private.exists():
        made = ECKey.generate_key("P-256", {"kid": secrets.token_hex(8), "use": "sig"})
        _write_secret(private, json.dumps(made.as_dict(private=True)).encode())
    issuer = ECKey.import_key(json.loads(private.read_text()))
    public = {"keys": [issuer.as_dict(private=False)]}
    (keys / "issuer.jwks.json").write_text(json.dumps(public))
    make_log_keys(keys)
    persons = {
        **sample["personas"],
        "recipient": {"person": "resident-of-the-sample", "recipient": sample["recipient"]},
    }
    _write_secret(keys / "persons.json", json.dumps(persons).encode())


def make_log_keys(keys: Path) -> None:
    """Make the keys of a query log that are not there yet."""
    keys.mkdir(parents=True, exist_ok=True)
    for name in ("pseudonym.key", "sealing.key"):
        if not (keys / name).exists():
            _write_secret(keys / name, secrets.token_bytes(32))
    if not (keys / "signing.key").exists():
        signer = Signer.make("demo.invalid/log")
        _write_secret(keys / "signing.key", f"{signer.text}\n".encode())
        (keys / "verifiers.txt").write_text(f"{signer.verifier.text}\n")


def _write_secret(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def token_for(folder: Path, name: str) -> str:
    """An access token for one of the demo's persons. Raises DemoFailed."""
    keys = folder / "keys"
    try:
        persons = json.loads((keys / "persons.json").read_text())
        key = ECKey.import_key(json.loads((keys / "issuer.key.json").read_text()))
    except OSError as error:
        raise DemoFailed("there is no demo here yet: start one with `hub demo`") from error
    person = persons[name]
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": person["person"],
        "client_id": "demo-console",
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": secrets.token_hex(16),
        "roles": [_ROLES.get(name, name)],
        **{
            claim: person[claim] for claim in ("recipient", "office", "district") if claim in person
        },
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, claims, key)


def run_token(options: argparse.Namespace) -> int:
    """`hub token`: print an access token of the demo."""
    print(token_for(options.folder, options.person))
    return 0
