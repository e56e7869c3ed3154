"""What tests of reviews share: a review of the demo's deliveries, and the settings for others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from schema.working_days import today
from tests.command import hub
from tests.demo import Demo

PROGRAMMES = ("basic-pension", "livelihood", "medical-aid", "education", "housing")
SOURCES = ("resident", "tax", "labour", "property", "benefits")


def settings_beside(demo: Demo) -> Mapping[str, str]:
    """The environment of a review beside a demo: its deliveries, its query log, its keys."""
    keys = {
        f"HUB_LOG_{name.upper()}_KEY": str(demo.folder / "keys" / f"{name}.key")
        for name in ("pseudonym", "sealing", "signing")
    }
    deliveries = {
        f"{name.upper()}_DELIVERIES": str(demo.folder / "deliveries" / name) for name in SOURCES
    }
    return {"HUB_LOG_STORE": f"sqlite+aiosqlite:///{demo.folder / 'log.db'}", **keys, **deliveries}


def reviewing(reviews: Path, *more: str, programmes: Sequence[str] = PROGRAMMES) -> list[str]:
    """The arguments of a review of programmes as of today."""
    named = [word for key in programmes for word in ("--programme", key)]
    folder = ("--folder", str(reviews))
    return ["review", "run", *named, "--as-of", str(today()), "--json", *folder, *more]


@pytest.fixture(scope="session")
def folder(demo: Demo) -> Path:
    """A review of the demo's own deliveries, in the demo's query log, where the demo finds it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings_beside(demo).items():
            patch.setenv(name, value)
        done = hub(*reviewing(demo.folder / "reviews"))
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["folder"])
