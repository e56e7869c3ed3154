"""Indicators of misuse find what audits found elsewhere, on SQLite and PostgreSQL, and no more."""

from __future__ import annotations

import datetime
import hashlib
import re
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from authz.obligations import Obligations
from authz.register import Register
from hub.config import Audit
from hub.oversight.tables import SIGHTS, USES
from hub.querylog.store import Store
from hub.reading.hours import outside
from hub.reading.indicators import INDICATORS, chosen
from hub.reading.report import Report, Reporting
from hub.reading.search import Search, connected, find, over_everything
from tests.oversight.people import purpose
from tests.sources.postgres import Postgres

REGISTER = Register(
    {
        each.code: each
        for each in (
            purpose("livelihood", "case", Obligations()),
            purpose("pension", "case", Obligations()),
            purpose("survey", "receipt", Obligations()),
            purpose("glass", "break-glass", Obligations()),
            purpose("own", "self", Obligations()),
        )
    },
    "a version",
)
MONDAY = datetime.datetime(2026, 11, 16, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=9)))
"""A working day, at ten in the morning in Seoul."""


def pseudonym(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@dataclass
class Writing:
    """Writes records into a log, and computes indicators over it."""

    store: Store
    waiting: list[Any] = field(default_factory=list)

    def access(
        self,
        person: str,
        subject: str,
        *,
        outcome: str = "answered",
        code: str = "livelihood",
        case: str | None = "a case",
        also: tuple[str, ...] = (),
        at: datetime.datetime = MONDAY,
        flags: tuple[str, ...] = (),
        office: str = "office-a",
    ) -> str:
        operation = str(uuid.uuid4())
        about = pseudonym(subject)
        facts: dict[str, Any] = {
            "kind": "OUTCOME",
            "operation": operation,
            "at": at.astimezone(datetime.UTC).isoformat(timespec="milliseconds"),
            "person": person,
            "office": office,
            "purpose": code,
            "outcome": outcome,
            "subjects": [about],
            "casesNamed": [pseudonym(each) for each in (case, *also) if each is not None],
            "requested": ["tax.arrears"],
        }
        if outcome == "answered":
            facts["disclosed"] = {"tax": [{"items": ["tax.arrears"], "subjects": [about]}]}
        if flags:
            facts["flags"] = [{"subject": about, "flags": list(flags)}]
        self.waiting.append(facts)
        return operation

    def event(self, case: str, outcome: str, at: datetime.datetime = MONDAY) -> None:
        moment = at.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
        facts = {"kind": "CASE", "at": moment, "outcome": outcome, "casesNamed": [pseudonym(case)]}
        self.waiting.append(facts)

    async def report(self, *names: str, until: datetime.datetime | None = None) -> Report:
        for facts in self.waiting:
            await self.store.append(facts)
        self.waiting.clear()
        end = until or MONDAY + datetime.timedelta(days=30)
        start = MONDAY - datetime.timedelta(days=300)
        spans = (round(each.timestamp() * 1000) for each in (start, end))
        reporting = Reporting(self.store.engine, REGISTER, Audit.model_validate({}))
        return await reporting.report(*spans, chosen(names))

    async def found(self, name: str, **options: Any) -> dict[str | None, int]:
        """How many records each person has among those found."""
        (found,) = (await self.report(name, **options)).found
        assert found.count == sum(each.count for each in found.people)
        return {each.person: each.count for each in found.people}


@pytest.fixture
def log(store: Store) -> Writing:
    return Writing(store)


async def test_attack_24_those_of_the_same_surname_address_or_office_are_found(
    log: Writing,
) -> None:
    log.access("ann", "somebody")
    log.access("ann", "namesake", flags=("sameSurname",))
    log.access("bob", "flatmate", flags=("sameSurname", "sameAddress"))
    log.access("cid", "colleague", flags=("sameOffice",))
    assert await log.found("same-surname") == {"ann": 1, "bob": 1}
    assert await log.found("same-address") == {"bob": 1}
    assert await log.found("same-office") == {"cid": 1}


async def test_attack_24_a_recipient_whom_many_look_at_is_found(log: Writing) -> None:
    for number in range(10):
        log.access(f"official-{number}", "celebrity", office=f"office-{number}")
        log.access(f"official-{number}", f"recipient-{number}")
    for _ in range(3):
        log.access("official-0", "recipient-0")
    assert await log.found("watched") == {f"official-{number}": 1 for number in range(10)}


async def test_attack_24_an_official_who_returns_to_one_recipient_is_found(log: Writing) -> None:
    for number in range(20):
        log.access("ann", "neighbour")
        log.access("bob", f"recipient-{number}")
        log.access("cid", "neighbour") if number < 19 else None
    assert await log.found("often-at-one") == {"ann": 20}


async def test_attack_25_a_refusal_followed_by_another_purpose_is_found(log: Writing) -> None:
    soon, late = MONDAY + datetime.timedelta(hours=2), MONDAY + datetime.timedelta(hours=30)
    log.access("ann", "shopped", outcome="refused")
    log.access("ann", "shopped", code="pension", at=soon)
    log.access("bob", "mended", outcome="refused")
    log.access("bob", "mended", at=soon)
    log.access("cid", "one", outcome="refused")
    log.access("cid", "another", code="pension", at=soon)
    log.access("dan", "later", outcome="refused")
    log.access("dan", "later", code="pension", at=late)
    log.access("eve", "before", code="pension")
    log.access("eve", "before", outcome="refused", at=soon)
    assert await log.found("another-purpose") == {"ann": 1}


async def test_attack_26_a_case_opened_and_closed_around_the_look_up_is_found(
    log: Writing,
) -> None:
    log.access("ann", "x", case="borrowed")
    log.access("bob", "y", case="real")
    log.event("borrowed", "brief")
    log.event("real", "decided")
    log.access("cid", "x", case="borrowed")
    assert await log.found("brief-case") == {"ann": 1}


async def test_attack_26_a_case_that_is_never_decided_is_found_after_a_time(log: Writing) -> None:
    log.access("ann", "x", case="idle")
    log.access("bob", "y", case="real")
    log.event("real", "decided")
    log.access("cid", "z", case="real")
    log.access("dan", "paid", code="survey", case=None)
    late = MONDAY + datetime.timedelta(days=100)
    assert await log.found("without-decision") == {}
    assert await log.found("without-decision", until=late) == {"ann": 1, "cid": 1}


async def test_attack_26_a_decided_case_named_beside_it_explains_no_idle_one(log: Writing) -> None:
    log.access("ann", "x", case="idle", also=("real",))
    log.access("bob", "y", case="real", also=("other",))
    for case in ("real", "other"):
        log.event(case, "decided")
    late = MONDAY + datetime.timedelta(days=100)
    assert await log.found("without-decision", until=late) == {"ann": 1}
    assert await log.found("unexplained", until=late) == {"ann": 1}


async def test_attack_27_a_slow_trawl_is_found_beside_the_colleagues(log: Writing) -> None:
    for number in range(60):
        log.access("ann", f"recipient-{number}", at=MONDAY + datetime.timedelta(minutes=number))
    for colleague in ("bob", "cid", "dan"):
        for number in range(5):
            log.access(colleague, f"recipient-{number}")
    for number in range(60):
        log.access("eve", f"other-{number}", office="office-b")
    assert await log.found("most-looking") == {"ann": 60}


async def test_attack_28_look_ups_at_night_at_weekends_and_on_holidays_are_found(
    log: Writing,
) -> None:
    log.access("ann", "x", at=MONDAY.replace(hour=8))
    log.access("ann", "x", at=MONDAY.replace(hour=18, minute=59))
    log.access("night", "x", at=MONDAY.replace(hour=19))
    log.access("dawn", "x", at=MONDAY.replace(hour=7, minute=59))
    log.access("sunday", "x", at=MONDAY - datetime.timedelta(days=1))
    log.access("holiday", "x", at=MONDAY.replace(month=10, day=9))
    found = await log.found("outside-hours")
    assert found == {"night": 1, "dawn": 1, "sunday": 1, "holiday": 1}


async def test_attack_29_break_glasses_are_counted_with_their_reviews(log: Writing) -> None:
    fates = {"fine": ("JUSTIFIED", 1.0), "late": (None, 1.0), "wrong": ("UNJUSTIFIED", 1.0)}
    fates["waiting"] = (None, time.time() + 3600)
    operations = {
        name: log.access(name, "x", code="glass", case=None, flags=("breakGlass",))
        for name in fates
    }
    async with log.store.engine.begin() as connection:
        for name, (finding, due) in fates.items():
            row = {"id": name, "kind": "break-glass", "purpose": "glass", "person": name}
            row |= {"reason": "r", "marks": b"", "at": 0.0, "due": due, "finding": finding}
            row["closed"] = None if finding is None else 2.0
            await connection.execute(sa.insert(USES), row)
            sight = {"use": name, "operation": operations[name], "at": 0.0, "items": "[]"}
            await connection.execute(sa.insert(SIGHTS), sight)
    assert await log.found("break-glass") == dict.fromkeys(fates, 1)
    assert await log.found("break-glass-reviews") == {"late": 1, "wrong": 1}
    report = await log.report("unexplained")
    assert {each.person for each in report.found[0].people} == {"late", "wrong", "waiting"}
    assert report.unexplained == 0.75


async def test_the_share_that_nothing_explains_is_of_all_accesses_of_officials(
    log: Writing,
) -> None:
    log.access("ann", "x", case="real")
    log.access("ann", "x", case="real")
    log.access("bob", "y", case="borrowed")
    log.access("cid", "paid", code="survey", case=None)
    log.access("self", "me", code="own", case=None)
    log.access("dan", "x", outcome="refused")
    log.event("real", "decided")
    log.event("borrowed", "brief")
    report = await log.report("unexplained")
    assert (report.accesses, report.unexplained) == (4, 0.25)


async def test_the_records_of_an_indicator_are_those_it_counts(log: Writing) -> None:
    log.access("ann", "somebody")
    operation = log.access("ann", "namesake", flags=("sameSurname",))
    (found,) = (await log.report("same-surname")).found
    reporting = Reporting(log.store.engine, REGISTER, Audit.model_validate({}))
    chosen_places = await reporting.records("same-surname", 0, round(time.time() * 1000) + 10**12)
    page = await find(log.store, Search(found=chosen_places), 10)
    assert [record.details["operation"] for record in page.records if record.details] == [operation]
    assert found.count == len(page.records)


async def test_an_empty_log_has_no_findings(log: Writing) -> None:
    report = await log.report()
    assert [found.count for found in report.found] == [0] * len(INDICATORS)
    assert (report.accesses, report.unexplained) == (0, None)


def test_clocks_that_change_are_followed() -> None:
    start = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    end = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    spans = outside(
        *(round(each.timestamp() * 1000) for each in (start, end)),
        zone="Europe/Tallinn",
        hours=(8, 19),
        country=None,
    ).spans
    assert [span.ahead // 3_600_000 for span in spans] == [2, 3, 2]
    changes = [datetime.datetime.fromtimestamp(span.since / 1000, datetime.UTC) for span in spans]
    assert [change.isoformat() for change in changes[1:]] == [
        "2026-03-29T01:00:00+00:00",
        "2026-10-25T01:00:00+00:00",
    ]


def test_every_indicator_is_explained_and_no_other() -> None:
    page = Path("docs/misuse-indicators.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert list(dict.fromkeys(rows)) == list(INDICATORS)


async def test_no_part_of_an_indicator_is_worked_out_anew_for_each_record(
    postgres: Postgres,
) -> None:
    """PostgreSQL did where it expected one access and there were 20,000: it took two minutes."""
    store = Store(postgres.url, 512, bytes(range(32)))
    await store.open()
    log = Writing(store)
    log.access("ann", "x")
    await log.report("often-at-one")
    reporting = Reporting(store.engine, REGISTER, Audit.model_validate({}))
    async with connected(store.engine) as connection:
        scope = await reporting.scope(connection, None, None)
        await over_everything(connection)
        for indicator in INDICATORS.values():
            query = indicator.records(scope).compile(
                connection, compile_kwargs={"literal_binds": True, "render_postcompile": True}
            )
            plan = await connection.execute(sa.text(f"EXPLAIN {query}".replace(":", r"\:")))
            assert "Nested Loop" not in "\n".join(plan.scalars()), indicator.name
    async with connected(store.engine) as connection:
        assert await connection.scalar(sa.text("SHOW enable_nestloop")) == "on"
    await store.close()
