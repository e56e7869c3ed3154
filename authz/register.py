"""The purpose register: loaded from TOML, checked against the declarations, compiled to tables.

A purpose inherits what its parents allow; a prohibition anywhere on its line wins (Byun and Li,
Purpose based access control for privacy protection, VLDB Journal 17, 2008). The hash of the
register's files is the policy version in every record of the query log.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from authz.compile import compile_purpose
from authz.faults import derivation_faults, faults_of, role_faults, succession_faults
from authz.purpose import Purpose
from authz.table import Table
from sources.declaration import Catalogue
from sources.fault import Fault, Places, shape_faults


@dataclass(frozen=True)
class Register:
    """Every purpose by code, and the hash of the files they were read from."""

    purposes: Mapping[str, Purpose]
    version: str


def read_register(
    folder: Path, catalogue: Catalogue, derivations: Collection[str] | None = None
) -> tuple[Register, list[Fault]]:
    """Read and compile the register, with every fault of every file.

    `derivations` are the derived answers that the view has, None where that is not known.
    """
    faults: list[Fault] = []
    tables: dict[str, Table] = {}
    places: dict[str, Places] = {}
    digest = hashlib.sha256()
    paths = sorted(folder.glob("*.toml"))
    for path in paths:
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(content).digest())
        table = _read(path.name, content, places, faults)
        if table is not None:
            tables[path.stem] = table
    if not paths:
        faults.append(Fault(str(folder.name), "the folder", "no purpose", "add a TOML file to it"))
    roles = folder.parent / "roles.toml"
    if roles.is_file():  # Without it nothing is known of roles, and nothing is said.
        content = roles.read_bytes()
        digest.update(hashlib.sha256(content).digest())
        faults += role_faults(roles.name, content, tables, places)
    for code, table in tables.items():
        faults += faults_of(code, table, tables, catalogue, places[code])
        faults += succession_faults(code, table, tables, places[code])
        faults += derivation_faults(code, table, derivations, places[code])
    purposes = {code: compile_purpose(code, tables, catalogue) for code in tables}
    return Register(purposes, digest.hexdigest()), faults


def _read(
    file: str, content: bytes, places: dict[str, Places], faults: list[Fault]
) -> Table | None:
    code = file.removesuffix(".toml")
    try:
        text = content.decode()
        places[code] = Places(text)
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(Fault(file, "the file", f"is not TOML: {error}", "correct the line named"))
        return None
    try:
        return Table.model_validate(document)
    except ValidationError as error:
        faults += shape_faults(file, places[code], error)
        return None
