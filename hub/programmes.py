"""The programmes for people and for programs: what `hub programmes` prints."""

from __future__ import annotations

import argparse
import json

from hub import tables
from schema.programmes import programmes


def run_programmes(options: argparse.Namespace) -> int:
    """List the programmes."""
    listed = programmes().listed
    if options.json:
        found = [
            {
                "id": code,
                "key": one.key,
                "nameKo": one.name_ko,
                "nameEn": one.name_en,
                "ministry": one.ministry,
                "target": one.target,
                "criterion": one.criterion,
                "mark": one.mark,
            }
            for code, one in listed.items()
        ]
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    tables.show(
        f"{len(listed)} programmes",
        ("Id", "Key", "Programme", "", "Ministry", "For", "Criterion", "Mark"),
        [
            (
                code,
                one.key,
                one.name_ko,
                one.name_en,
                one.ministry,
                one.target,
                one.criterion,
                one.mark,
            )
            for code, one in listed.items()
        ],
        whole=2,
    )
    return 0
