"""A second opinion: generated registers decided by Cedar too, which knows nothing of our compiler.

The TOML tables are written as Cedar policies one by one, with purposes, categories and sources as
entities above one another; Cedar's own engine then decides every role, purpose, item and use.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cedarpy import is_authorized_batch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.caller import Caller
from authz.decide import Asked, Inputs, decide
from authz.purpose import USES
from authz.register import Register, read_register
from sources.declaration import Catalogue
from sources.reading import read_catalogue

TAX = """
[source]
agency = "Tax Office"
description = "Tax"
adapter = "rest"
[item.pay]
description = "Wages"
type = "Won"
category = "income"
[item.land]
description = "Land"
type = "Won"
category = "asset"
"""
CLINIC = """
[source]
agency = "Clinic"
description = "Clinic"
adapter = "rest"
[item.illness]
description = "Illness"
type = "String"
category = "health"
[item.fee]
description = "Fee"
type = "Won"
category = "income"
[case.item.state]
description = "State"
type = "String"
category = "case"
"""
CODES = ("root", "child", "leaf", "other")
ROLES = ("caseworker", "auditor")
DAYS = (datetime.date(2026, 1, 1), datetime.date(2026, 11, 1))
ACTIONS = ("return", *USES)
ITEMS = ("tax.pay", "tax.land", "clinic.illness", "clinic.fee")
SELECTION = st.fixed_dictionaries(
    {},
    optional={
        "items": st.lists(st.sampled_from(ITEMS), unique=True, max_size=2),
        "categories": st.lists(
            st.sampled_from(["existence", "income", "asset", "health"]), unique=True, max_size=3
        ),
        "sources": st.lists(st.sampled_from(["tax", "clinic"]), unique=True, max_size=1),
    },
)
TABLE = st.fixed_dictionaries(
    {
        "roles": st.lists(st.sampled_from(ROLES), unique=True),
        "allow": SELECTION,
        "prohibit": SELECTION,
        "use": st.fixed_dictionaries(dict.fromkeys(USES, SELECTION)),
        "parent": st.integers(0, 3),
        "since": st.sampled_from([None, *DAYS, datetime.date(2027, 1, 1)]),
    }
)
Tables = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "tax.toml").write_text(TAX)
    (folder / "clinic.toml").write_text(CLINIC)
    found, faults = read_catalogue(folder, ["tax", "clinic"], "tax", "clinic")
    assert faults == []
    return found


def parent(tables: Tables, code: str) -> str | None:
    """The purpose above: an earlier one, so that there is no circle."""
    earlier = CODES[: CODES.index(code)]
    number = tables[code]["parent"]
    return earlier[number % len(earlier)] if earlier and number else None


def register(folder: Path, tables: Tables, catalogue: Catalogue) -> Register:
    """The register as TOML, read by us. What we call a fault is still decided alike."""
    for code, table in tables.items():
        lines = ['title = "T"', 'legal_basis = { act = "A", article = "B", mark = "K" }']
        lines += [
            f"roles = {json.dumps(table['roles'])}",
            'relation = "case"',
            'programmes = ["p"]',
        ]
        if above := parent(tables, code):
            lines.append(f'parent = "{above}"')
        if table["since"]:
            lines.append(f"valid = {{ since = {table['since']} }}")
        for name, selection in selections(table):
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(names)}" for key, names in selection.items()]
        (folder / f"{code}.toml").write_text("\n".join(lines))
    return read_register(folder, catalogue)[0]


def selections(table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, list[str]]]]:
    yield "allow", table["allow"]
    yield "prohibit", table["prohibit"]
    for use in USES:
        yield f"use.{use}", table["use"][use]


def policies(tables: Tables) -> str:
    """The same as Cedar policies: one for each table's selection, and what holds of a purpose."""
    kinds = {"items": "Item", "categories": "Category", "sources": "Source"}
    found = []
    for code, table in tables.items():
        under = f'context.purpose in Purpose::"{code}"'
        for name, selection in selections(table):
            named = [f'{kinds[key]}::"{one}"' for key, names in selection.items() for one in names]
            of = f"resource in [{', '.join(named)}]" if named else "false"
            action = {"allow": 'action == Action::"return"', "prohibit": "action"}.get(
                name, f'action == Action::"{name.removeprefix("use.")}"'
            )
            effect = "forbid" if name == "prohibit" else "permit"
            found.append(f"{effect}(principal, {action}, resource) when {{ {under} && {of} }};")
        itself = f'context.purpose == Purpose::"{code}"'
        roles = ", ".join(f'Role::"{role}"' for role in table["roles"])
        of = f"principal in [{roles}]" if roles else "false"
        found.append(f"forbid(principal, action, resource) when {{ {itself} && !({of}) }};")
        if table["since"]:
            early = f"context.day < {table['since'].toordinal()}"
            found.append(f"forbid(principal, action, resource) when {{ {itself} && {early} }};")
    return "\n".join(found)


def entities(tables: Tables, catalogue: Catalogue) -> list[dict[str, Any]]:
    def entity(kind: str, name: str, *above: tuple[str, str]) -> dict[str, Any]:
        parents = [{"type": of, "id": one} for of, one in above]
        return {"uid": {"type": kind, "id": name}, "attrs": {}, "parents": parents}

    found = [entity("User", role, ("Role", role)) for role in ROLES]
    for item in catalogue.items.values():
        above = (("Category", item.category), ("Source", item.source))
        found.append(entity("Item", item.name, *above))
    for code in tables:
        above_it = parent(tables, code)
        found.append(entity("Purpose", code, *([("Purpose", above_it)] if above_it else [])))
    return found


def second_opinion(
    tables: Tables, catalogue: Catalogue, day: datetime.date
) -> dict[tuple[str, str, str, str], bool]:
    """What Cedar decides of every role, purpose, item and use."""
    keys = [
        (role, code, name, action)
        for role in ROLES
        for code in tables
        for name in catalogue.items
        for action in ACTIONS
    ]
    requests = [
        {
            "principal": f'User::"{role}"',
            "action": f'Action::"{action}"',
            "resource": f'Item::"{name}"',
            "context": {
                "purpose": {"__entity": {"type": "Purpose", "id": code}},
                "day": day.toordinal(),
            },
        }
        for role, code, name, action in keys
    ]
    answers = is_authorized_batch(requests, policies(tables), entities(tables, catalogue))
    assert not any(answer.diagnostics.errors for answer in answers)
    return {key: answer.allowed for key, answer in zip(keys, answers, strict=True)}


def ours(found: Register, key: tuple[str, str, str, str], day: datetime.date) -> bool:
    """What we decide of one item and use."""
    role, code, name, action = key
    caller = Caller("p", "r", frozenset({role}), "office", "district", "issuer")
    purpose = found.purposes[code]
    names = (name, purpose.exists[name])
    if action == "return":
        asked = Asked(own=names, others=(), case=())
        return name in decide(caller, purpose, asked, day).granted
    asked = Asked(own=(), others=(), case=(), derived={action: Inputs(frozenset(names))})
    verdict = decide(caller, purpose, asked, day)
    return name in verdict.derivable.get(action, frozenset())


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tables=st.fixed_dictionaries(dict.fromkeys(CODES, TABLE)), day=st.sampled_from(DAYS))
def test_cedar_decides_the_same_of_every_role_purpose_item_and_use(
    tmp_path_factory: pytest.TempPathFactory,
    catalogue: Catalogue,
    tables: Tables,
    day: datetime.date,
) -> None:
    found = register(tmp_path_factory.mktemp("register"), tables, catalogue)
    theirs = second_opinion(tables, catalogue, day)
    for key, allowed in theirs.items():
        role, code, name, action = key
        item = catalogue.items[name]
        if item.is_exists and action != "return":
            continue  # that there is a record is only ever told
        exists = found.purposes[code].exists[name]
        # Nothing of a source is granted where it may not be known to have a record.
        expected = allowed and theirs[role, code, exists, "return"]
        assert ours(found, key, day) == expected, (key, day)
