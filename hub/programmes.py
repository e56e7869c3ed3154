"""The programmes for people and for programs: what `hub programmes` prints."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from graphql import GraphQLError

from hub import tables
from schema.programme_types import ProgrammeOffered, listed


def run_programmes(options: argparse.Namespace) -> int:
    """List the programmes as they are in a year."""
    try:
        found = listed(options.year)
    except GraphQLError as error:
        print(error.message, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([_as_json(one) for one in found], indent=2, ensure_ascii=False))
        return 0
    ruled = sum(one.decided_by_rule for one in found)
    tables.show(
        f"{len(found)} programmes, {ruled} of them decided by rule",
        ("Id", "Key", "Programme", "", "Ministry", "For", "Criterion", "Mark", "Rule", "1", "4"),
        [
            (
                one.id,
                one.key,
                one.name_ko,
                one.name_en,
                one.ministry,
                one.target,
                one.criterion,
                one.mark,
                "yes" if one.decided_by_rule else "",
                *(_threshold(one, size) for size in (1, 4)),
            )
            for one in found
        ],
        whole=2,
    )
    return 0


def _threshold(programme: ProgrammeOffered, size: int) -> str:
    """The threshold of a household of one or four, to compare programmes by."""
    amounts = {each.household_size: each.amount for each in programme.thresholds}
    return f"{amounts[size]:,}" if size in amounts else ""


def _as_json(programme: ProgrammeOffered) -> dict[str, Any]:
    """A programme, its parts named as in GraphQL."""
    return {
        "id": programme.id,
        "key": programme.key,
        "nameKo": programme.name_ko,
        "nameEn": programme.name_en,
        "ministry": programme.ministry,
        "target": programme.target,
        "criterion": programme.criterion,
        "mark": programme.mark,
        "decidedByRule": programme.decided_by_rule,
        "basis": programme.basis,
        "basisMark": programme.basis_mark,
        "notModelled": programme.not_modelled,
        "thresholds": [
            {"householdSize": each.household_size, "amount": each.amount}
            for each in programme.thresholds
        ],
    }
