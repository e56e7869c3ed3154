"""Generated operations: no way of writing one widens a decision, and the oracle holds of each."""

from __future__ import annotations

import dataclasses
import datetime
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    print_ast,
)
from hypothesis import HealthCheck, Phase, given, settings

from authz.caller import Caller
from authz.decide import Asked, Verdict, decide
from authz.purpose import ALONE, Purpose
from hub.app import Plans
from hub.documents import Document
from hub.errors import RequestRefused
from hub.plan import make_plan
from tests.access.generated import composed, operations, parts, text, through_records, ways
from tests.access.oracle import Oracle, occurring
from tests.access.transcript import Transcript
from tests.access.world import NOBODY, World
from tests.demo import Demo

DAY = datetime.date(2026, 11, 23)
EXAMPLES = 200
"""Operations that hypothesis-graphql makes, and makes otherwise again: they are dear."""
COMPOSED = 600
"""Operations composed of what those ask of a recipient."""
MOST_FIELDS = 6
SENT = int(os.environ.get("HUB_OPERATIONS", "1000"))
"""Operations sent over HTTP, each text of them `AGAIN` times at most."""
AGAIN = 4
steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def asked_by(plans: Plans, document: DocumentNode) -> Asked | str:
    """What an operation asks for, or the code that it is refused with.

    That it is valid is seen where it is sent.
    """
    of = {
        kind: {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, kind) and node.name is not None
        }
        for kind in (OperationDefinitionNode, FragmentDefinitionNode)
    }
    operations, fragments = of[OperationDefinitionNode], of[FragmentDefinitionNode]
    read = Document(document, "", operations, fragments)
    try:
        return make_plan(plans.schema, read, operations["Plain"]).asked
    except RequestRefused as refusal:
        return refusal.codes[0]


class Plain:
    """Operations, each once, and what they ask for: generated whole, and composed of the parts."""

    def __init__(self, plans: Plans) -> None:
        found: dict[str, DocumentNode] = {}

        @settings(steady, max_examples=EXAMPLES)
        @given(operations(plans.schema.sdl))
        def collect(document: DocumentNode) -> None:
            found.setdefault(text(document), document)

        collect()
        every = {print_ast(node): node for document in found.values() for node in parts(document)}
        self.parts = list(every.values())
        chance = random.Random(len(self.parts))
        self.documents = [
            *found.values(),
            *(composed(chance, self.parts, MOST_FIELDS) for _ in range(COMPOSED)),
        ]
        self.asked = [(document, asked_by(plans, document)) for document in self.documents]


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
    """An operation, for what, of whom."""

    document: str
    purpose: str
    about: str
    withhold: bool


class Requests:
    """Operations at random, by one seed, each text for several purposes and people."""

    def __init__(
        self, schema: GraphQLSchema, found: list[FieldNode], chance: random.Random
    ) -> None:
        self._schema, self._found, self._chance = schema, found, chance

    def texts(self) -> Iterator[str]:
        """Texts, composed anew and written in one of the ways."""
        while True:
            document = composed(self._chance, self._found, MOST_FIELDS)
            yield text(ways()[self._chance.choice(WAYS)](self._schema, document))

    def __iter__(self) -> Iterator[Request]:
        for document in self.texts():
            for purpose in self._chance.sample(sorted(CASES), AGAIN):
                about = self._chance.choice(("applicant", "applicant", "member", "nobody"))
                yield Request(document, purpose, about, self._chance.random() < 0.5)


@dataclass(frozen=True)
class Sender:
    """Sends requests to the demo."""

    transcript: Transcript
    world: World

    @cached_property
    def _token(self) -> Callable[..., str]:
        return cache(self.transcript.demo.token)

    def send(self, request: Request) -> None:
        world = self.world
        words = CASES[request.purpose]
        case = world.sample_case if words == "sample" else world.case(words)
        applicant = world.sample if words == "none" else world.applicants[case]
        keys = {"applicant": applicant, "member": world.members(applicant)[-1], "nobody": NOBODY}
        district = world.district(applicant)
        person = "recipient" if request.purpose == "subject-access" else "caseworker"
        place = {"office": f"office-{district}", "district": district}
        self.transcript.ask(
            request.document,
            {"id": keys[request.about]},
            token=self._token(person, **(place if person == "caseworker" else {})),
            purpose=request.purpose,
            case=None if words == "none" else case,
            headers={"Hub-On-Denied": "withhold" if request.withhold else "refuse"},
        )


def test_whatever_is_asked_the_oracle_holds(
    demo: Demo, plans: Plans, world: World, oracle: Oracle, plain: Plain
) -> None:
    requests = Requests(plans.schema.graphql, plain.parts, random.Random(SENT))
    with Transcript(demo) as transcript:
        sender = Sender(transcript, world)
        for request in islice(requests, SENT):
            sender.send(request)
        transcript.settle()
        metrics, errors = transcript.metrics(), transcript.new_errors()
    outcomes = Counter[str]()
    for exchange in transcript.exchanges:
        try:
            oracle.judge(exchange)
        except AssertionError as error:
            error.add_note(exchange.document)
            raise
        outcomes.update(exchange.answer.codes)
        outcomes[exchange.outcome["outcome"] if exchange.records else "not logged"] += 1
        outcomes["denied"] += bool(exchange.records) and bool(exchange.outcome["denied"])
        outcomes["disclosed"] += bool(exchange.records) and bool(exchange.outcome.get("disclosed"))
    assert outcomes["GRAPHQL_VALIDATION_FAILED"] == 0, "an operation made here is wrong"
    assert outcomes["disclosed"] > SENT // 10, outcomes
    assert outcomes["denied"] > SENT // 20, outcomes
    assert not occurring(oracle.personal, metrics + errors)
