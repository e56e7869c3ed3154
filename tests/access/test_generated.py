"""Generated operations: no way of writing one widens a decision, and the oracle holds of each."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections import Counter
from dataclasses import dataclass

import pytest
from graphql import DocumentNode
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from authz.caller import Caller
from authz.decide import Asked, Verdict, decide
from authz.register import ALONE, Purpose
from hub.app import Plans
from hub.config import Limits
from hub.documents import Documents
from hub.errors import RequestRefused
from hub.plan import make_plan
from tests.access.generated import operations, text, through_records, ways
from tests.access.oracle import Oracle, occurs
from tests.access.transcript import Transcript
from tests.access.world import NOBODY, World
from tests.demo import Demo

WIDE = Limits(tokens=100_000, depth=50, aliases=5_000, fields=50_000)
"""Limits that no document meets here: they are tested elsewhere."""
DAY = datetime.date(2026, 11, 23)
EXAMPLES = 400
SENT = 400
SECONDS = 12
steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def asked_by(plans: Plans, document: DocumentNode) -> Asked | str:
    """What an operation asks for, or the code that it is refused with."""
    try:
        read = Documents(plans.schema.graphql, WIDE).read(text(document))
        return make_plan(plans.schema, read, read.operation("Plain")).asked
    except RequestRefused as refusal:
        return refusal.codes[0]


class Plain:
    """Generated operations, each once, and what they ask for: they are many, and dear to make."""

    def __init__(self, plans: Plans) -> None:
        found: dict[str, DocumentNode] = {}

        @settings(steady, max_examples=EXAMPLES)
        @given(operations(plans.schema.sdl))
        def collect(document: DocumentNode) -> None:
            found.setdefault(text(document), document)

        collect()
        self.asked = [(document, asked_by(plans, document)) for document in found.values()]


def officials(purpose: Purpose) -> list[Caller]:
    """Somebody who may use the purpose, if anybody may, and somebody of every other role."""
    roles = ("caseworker", "policy", "auditor", "officer", "recipient", "")
    may = Caller("p", "r", frozenset(purpose.roles), "o", "d", "i")
    return [may, *(Caller("p", "r", frozenset({role}), "o", "d", "i") for role in roles)]


def check_verdict(purpose: Purpose, caller: Caller, asked: Asked, verdict: Verdict) -> None:
    denied = {one.item for one in verdict.denied if one.use is None}
    lacking = {one.use for one in verdict.denied if one.use is not None}
    assert verdict.granted | verdict.derivable.keys() | denied | lacking == set(asked.every)
    assert (verdict.granted | denied) - asked.derived.keys() == set(asked.items)
    assert not (verdict.granted | verdict.derivable.keys()) & denied
    for name, usable in verdict.derivable.items():
        assert usable <= set(asked.derived[name].items)
        assert not usable & purpose.prohibited
        if name in purpose.uses:
            of_facts = {item for item in usable if purpose.exists[item] != item}
            assert all(purpose.uses[name][item].allowed for item in of_facts)
            assert usable - of_facts <= purpose.open_items
        else:
            assert name in purpose.derivations or usable <= purpose.open_items
    assert all(decision.rule and decision.remedy for decision in verdict.denied)
    assert all(purpose.decisions[item].allowed for item in verdict.granted)
    assert verdict.transforms.keys() <= verdict.granted
    if not caller.roles & purpose.roles:
        assert not verdict.granted


@pytest.fixture(scope="module")
def plain(plans: Plans) -> Plain:
    return Plain(plans)


@pytest.mark.parametrize("way", ways())
def test_no_way_of_writing_an_operation_changes_what_it_asks_for(
    plans: Plans, plain: Plain, way: str
) -> None:
    for document, asked in plain.asked:
        written = ways()[way](plans.schema.graphql, document)
        assert asked_by(plans, written) == asked, text(written)


def test_the_way_through_the_interface_asks_for_the_same_and_who_has_a_record(
    plans: Plans, plain: Plain
) -> None:
    catalogue = plans.catalogue
    fields = [source.field for source in catalogue.sources.values()]
    types = {field: field[0].upper() + field[1:] for field in fields}
    exists = {catalogue.exists(source).name for source in catalogue.sources}
    tried = 0
    for document, asked in plain.asked:
        written = through_records(document, types)
        if written is None or isinstance(asked, str):
            continue
        found = asked_by(plans, written)
        assert not isinstance(found, str), (found, text(written))
        assert set(found.own) == set(asked.own) | exists, text(written)
        assert (found.others, found.case) == (asked.others, asked.case)
        tried += 1
    assert tried > len(plain.asked) // 4


def test_every_item_is_granted_or_denied_whoever_asks_for_whatever(
    plans: Plans, plain: Plain
) -> None:
    decided = 0
    for _, asked in plain.asked:
        if isinstance(asked, str):
            assert asked == "TOO_DEEP"
            continue
        for purpose in plans.register.purposes.values():
            for caller in officials(purpose):
                check_verdict(purpose, caller, asked, decide(caller, purpose, asked, DAY))
                decided += 1
    assert decided > 5_000


def test_asking_for_more_grants_nothing_that_was_denied(plans: Plans, plain: Plain) -> None:
    parts = [asked for _, asked in plain.asked if not isinstance(asked, str)]
    for fewer, added in zip(parts, [*parts[1:], parts[0]], strict=True):
        names = {field.name for field in dataclasses.fields(fewer)} - {"derived"}
        more = Asked(
            **{
                name: tuple(sorted({*getattr(fewer, name), *getattr(added, name)}))
                for name in names
            },
            derived={**fewer.derived, **added.derived},
        )
        for purpose in plans.register.purposes.values():
            caller = officials(purpose)[0]
            refused = decide(caller, purpose, fewer, DAY).denied
            denied = {entry.item for entry in refused if entry.use is None}
            if purpose.relation in ALONE:
                # Denied of others, an item may be granted of oneself: that is another question,
                # and nobody else is asked, since what leads to them stays denied.
                denied -= set(added.own) - set(fewer.own)
            assert not denied & decide(caller, purpose, more, DAY).granted


CASES = {
    "basic-livelihood.application": "sample",
    "basic-pension.application": "open basic-pension",
    "emergency-aid.application": "open emergency-aid",
    "duplicate-check": "sample",
    "confirmation-survey": "none",
    "subject-access": "none",
}
"""The purposes that reach somebody, and the cases they are asked for."""
WAYS = sorted(set(ways()) - {"beside another operation"})
"""Over HTTP the operation is not named."""


@dataclass(frozen=True)
class Request:
    """Which of the generated operations is asked in which way, for what, of whom."""

    number: int
    way: str
    purpose: str
    about: str
    withhold: bool


requests = st.builds(
    Request,
    number=st.integers(0, 10_000),
    way=st.sampled_from(WAYS),
    purpose=st.sampled_from(sorted(CASES)),
    about=st.sampled_from(("applicant", "applicant", "applicant", "member", "nobody")),
    withhold=st.booleans(),
)


@dataclass(frozen=True)
class Sender:
    """Sends requests to the demo."""

    transcript: Transcript
    world: World
    plans: Plans
    plain: Plain

    def send(self, request: Request) -> None:
        world, demo = self.world, self.transcript.demo
        document, _ = self.plain.asked[request.number % len(self.plain.asked)]
        words = CASES[request.purpose]
        case = world.sample_case if words == "sample" else world.case(words)
        applicant = world.sample if words == "none" else world.applicants[case]
        keys = {"applicant": applicant, "member": world.members(applicant)[-1], "nobody": NOBODY}
        district = world.district(applicant)
        person = "recipient" if request.purpose == "subject-access" else "caseworker"
        place = {"office": f"office-{district}", "district": district}
        self.transcript.ask(
            text(ways()[request.way](self.plans.schema.graphql, document)),
            {"id": keys[request.about]},
            token=demo.token(person, **(place if person == "caseworker" else {})),
            purpose=request.purpose,
            case=None if words == "none" else case,
            headers={"Hub-On-Denied": "withhold" if request.withhold else "refuse"},
        )


def test_whatever_is_asked_the_oracle_holds(
    demo: Demo, plans: Plans, world: World, oracle: Oracle, plain: Plain
) -> None:
    end = time.monotonic() + SECONDS
    with Transcript(demo) as transcript:
        sender = Sender(transcript, world, plans, plain)

        @settings(steady, max_examples=SENT)
        @given(requests)
        def ask(request: Request) -> None:
            if time.monotonic() < end:
                sender.send(request)

        ask()
        transcript.settle()
        metrics, errors = transcript.metrics(), transcript.new_errors()
    outcomes = Counter[str]()
    for exchange in transcript.exchanges:
        try:
            oracle.judge(exchange)
        except AssertionError as error:
            error.add_note(exchange.document)
            raise
        outcomes[exchange.outcome["outcome"] if exchange.records else "not logged"] += 1
        outcomes["denied"] += bool(exchange.records) and bool(exchange.outcome["denied"])
        outcomes["disclosed"] += bool(exchange.records) and bool(exchange.outcome.get("disclosed"))
    assert outcomes["disclosed"] > len(transcript.exchanges) // 10, outcomes
    assert outcomes["denied"] > len(transcript.exchanges) // 20, outcomes
    assert not {value for value in oracle.personal if occurs(value, metrics + errors)}
