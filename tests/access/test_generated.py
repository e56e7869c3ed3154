"""Generated operations: no way of writing one widens a decision, and the oracle holds of each."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from graphql import DocumentNode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.caller import Caller
from authz.decide import Asked, Verdict, decide
from authz.register import Purpose
from hub.app import Plans
from hub.config import Limits
from hub.documents import Documents
from hub.errors import RequestRefused
from hub.plan import make_plan
from tests.access.generated import operations, text, through_records, ways
from tests.access.oracle import Oracle, occurs
from tests.access.transcript import Transcript
from tests.access.world import World
from tests.demo import Demo

WIDE = Limits(tokens=100_000, depth=50, aliases=5_000, fields=50_000)
"""Limits that no document meets here: they are tested elsewhere."""
DAY = datetime.date(2026, 11, 23)
EXAMPLES = 300
SENT = 200
SECONDS = 20
steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def asked_by(plans: Plans, document: DocumentNode) -> Asked | str:
    """What an operation asks for, or the code that it is refused with."""
    try:
        read = Documents(plans.schema.graphql, WIDE).read(text(document))
        return make_plan(plans.schema, read, read.operation("Plain")).asked
    except RequestRefused as refusal:
        return refusal.codes[0]


def officials(purpose: Purpose) -> list[Caller]:
    """Somebody who may use the purpose, if anybody may, and somebody of every other role."""
    roles = ("caseworker", "policy", "auditor", "officer", "recipient", "")
    may = Caller("p", "r", frozenset(purpose.roles), "o", "d", "i")
    return [may, *(Caller("p", "r", frozenset({role}), "o", "d", "i") for role in roles)]


def check_verdict(purpose: Purpose, caller: Caller, asked: Asked, verdict: Verdict) -> None:
    denied = {decision.item for decision in verdict.denied}
    assert verdict.granted | denied == set(asked.items)
    assert not verdict.granted & denied
    assert all(decision.rule and decision.remedy for decision in verdict.denied)
    assert all(purpose.decisions[item].allowed for item in verdict.granted)
    assert verdict.transforms.keys() <= verdict.granted
    if not caller.roles & purpose.roles:
        assert not verdict.granted


@pytest.fixture(scope="module")
def documents(plans: Plans) -> list[DocumentNode]:
    """Generated operations, each once; they are many, and dear to make."""
    found: dict[str, DocumentNode] = {}

    @settings(steady, max_examples=EXAMPLES)
    @given(operations(plans.schema.sdl))
    def collect(document: DocumentNode) -> None:
        found.setdefault(text(document), document)

    collect()
    return list(found.values())


@pytest.mark.parametrize("way", ways())
def test_no_way_of_writing_an_operation_changes_what_it_asks_for(
    plans: Plans, documents: list[DocumentNode], way: str
) -> None:
    for document in documents:
        written = ways()[way](plans.schema.graphql, document)
        assert asked_by(plans, written) == asked_by(plans, document), text(written)


def test_the_way_through_the_interface_asks_for_the_same_and_who_has_a_record(
    plans: Plans, documents: list[DocumentNode]
) -> None:
    catalogue = plans.catalogue
    fields = [source.field for source in catalogue.sources.values()]
    types = {field: field[0].upper() + field[1:] for field in fields}
    exists = {catalogue.exists(source).name for source in catalogue.sources}
    tried = 0
    for document in documents:
        written = through_records(document, types)
        plain = asked_by(plans, document)
        if written is None or isinstance(plain, str):
            continue
        found = asked_by(plans, written)
        assert not isinstance(found, str), (found, text(written))
        assert set(found.own) == set(plain.own) | exists, text(written)
        assert (found.others, found.case) == (plain.others, plain.case)
        tried += 1
    assert tried > len(documents) // 4


def test_every_item_is_granted_or_denied_whoever_asks_for_whatever(
    plans: Plans, documents: list[DocumentNode]
) -> None:
    decided = 0
    for asked in (asked_by(plans, document) for document in documents):
        if isinstance(asked, str):
            assert asked == "TOO_DEEP"
            continue
        for purpose in plans.register.purposes.values():
            for caller in officials(purpose):
                check_verdict(purpose, caller, asked, decide(caller, purpose, asked, DAY))
                decided += 1
    assert decided > 10_000


def test_asking_for_more_grants_nothing_that_was_denied(
    plans: Plans, documents: list[DocumentNode]
) -> None:
    parts = [asked for one in documents if not isinstance(asked := asked_by(plans, one), str)]
    for fewer, added in zip(parts, [*parts[1:], parts[0]], strict=True):
        more = Asked(
            **{
                name: tuple(sorted({*getattr(fewer, name), *getattr(added, name)}))
                for name in fewer.__slots__
            }
        )
        for purpose in plans.register.purposes.values():
            caller = officials(purpose)[0]
            denied = {entry.item for entry in decide(caller, purpose, fewer, DAY).denied}
            assert not denied & decide(caller, purpose, more, DAY).granted


@st.composite
def requests(draw: st.DrawFn, plans: Plans) -> dict[str, Any]:
    """A generated operation in one of its ways, with a purpose and whom it is asked of."""
    document = draw(operations(plans.schema.sdl))
    way = draw(st.sampled_from(sorted(set(ways()) - {"beside another operation"})))
    return {
        "document": text(ways()[way](plans.schema.graphql, document)),
        "purpose": draw(st.sampled_from(sorted(CASES))),
        "withhold": draw(st.booleans()),
        "about": draw(st.sampled_from(("applicant", "applicant", "applicant", "member", "nobody"))),
    }


CASES = {
    "basic-livelihood.application": "sample",
    "basic-pension.application": "open basic-pension",
    "emergency-aid.application": "open emergency-aid",
    "duplicate-check": "sample",
    "confirmation-survey": "none",
    "subject-access": "none",
}
"""The purposes that reach somebody, and the cases they are asked for."""


def test_whatever_is_asked_the_oracle_holds(
    demo: Demo, plans: Plans, world: World, oracle: Oracle
) -> None:
    end = time.monotonic() + SECONDS
    outcomes: dict[str, int] = {}
    with Transcript(demo) as transcript:

        @settings(steady, max_examples=SENT)
        @given(requests(plans))
        def ask(request: dict[str, Any]) -> None:
            if time.monotonic() > end:
                return
            words = CASES[request["purpose"]]
            case = world.sample_case if words == "sample" else world.case(words)
            applicant = world.applicants[case] if words != "none" else world.sample
            members = world.members(applicant)
            keys = {"applicant": applicant, "member": members[-1], "nobody": "998899-1000000"}
            district = world.district(applicant)
            own = request["purpose"] == "subject-access"
            transcript.ask(
                request["document"],
                {"id": keys[request["about"]]},
                token=demo.info["tokens"]["recipient"]
                if own
                else demo.token("caseworker", office=f"office-{district}", district=district),
                purpose=request["purpose"],
                case=case if words != "none" else None,
                headers={"Hub-On-Denied": "withhold" if request["withhold"] else "refuse"},
            )

        ask()
        transcript.settle()
        metrics, errors = transcript.metrics(), transcript.new_errors()
    for exchange in transcript.exchanges:
        try:
            oracle.judge(exchange)
        except AssertionError as error:
            error.add_note(exchange.document)
            raise
        outcome = exchange.outcome["outcome"] if exchange.records else "not logged"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes.keys() >= {"answered", "refused"}, outcomes
    assert not {value for value in oracle.personal if occurs(value, metrics + errors)}
