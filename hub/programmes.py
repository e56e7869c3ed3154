"""The programmes for people and for programs: what `hub programmes` prints."""

from __future__ import annotations

import argparse
import json
from typing import Any

from hub import tables
from schema.programmes import Programme, Programmes, programmes


def run_programmes(options: argparse.Namespace) -> int:
    """List the programmes."""
    found = programmes()
    if options.json:
        print(json.dumps([_as_json(one) for one in found.listed], indent=2, ensure_ascii=False))
    else:
        _print_list(found)
    return 0


def _as_json(programme: Programme) -> dict[str, Any]:
    """A programme, its parts named as in GraphQL."""
    return {
        "id": programme.id,
        "code": programme.code,
        "nameKo": programme.name_ko,
        "nameEn": programme.name_en,
        "ministry": programme.ministry,
        "target": programme.target,
        "criterion": programme.criterion.text,
        "mark": programme.criterion.mark,
        "source": programme.criterion.source,
    }


def _print_list(found: Programmes) -> None:
    names = ("Code", "Id", "Programme", "", "Ministry", "For", "Criterion", "Mark")
    tables.show(
        f"{len(found.listed)} programmes",
        names,
        [
            (
                one.code,
                one.id,
                one.name_ko,
                one.name_en,
                one.ministry,
                one.target,
                one.criterion.text,
                one.criterion.mark,
            )
            for one in found.listed
        ],
        whole=2,
    )
