"""`meansTest` in GraphQL: what a programme's rule comes to, for whom, why and by how much.

The result, the amounts, the trace and the notice are derived answers of their own, so that a
purpose may be allowed the result where it may not see an amount.
"""

from __future__ import annotations

import datetime
import enum
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import GraphQLError

from schema.duplicates import no_programme
from schema.household_facts import facts_of, inputs_of
from schema.means_test_types import (
    Assumed,
    Bounds,
    FactOrigin,
    MissingFact,
    PartAmount,
    Payable,
    PlainNotice,
    SettlingAgency,
    Step,
    StepInput,
    StepParameter,
    StepRounding,
    TestAmounts,
    TestCondition,
)
from schema.needs import Covered, Derived, needing
from schema.programme_types import ProgrammeOffered, offered
from schema.rules import assess
from schema.rules import notice as words
from schema.rules import trace as tracing
from schema.rules.assess import Result
from schema.rules.book import Book, the_book, the_book_as_read
from schema.rules.facts import HouseholdFacts, Value, adjusted
from schema.rules.year import facts_behind
from schema.scalars import Won
from schema.view import Person
from schema.working_days import today

RESULT, AMOUNTS, TRACE, NOTICE = (
    "meansTest.result",
    "meansTest.amounts",
    "meansTest.trace",
    "meansTest.notice",
)

strawberry.enum(Result, name="MeansTestResult", description="What a means test comes to.")


@dataclass
class Testing:
    """One test to be made: for whom, of what, what changed; made once for each set of items."""

    person: Person
    code: str
    day: datetime.date
    changes: Mapping[str, Value]
    _made: dict[frozenset[str], assess.MeansTest] = field(default_factory=dict)

    def made(self, derivation: str) -> assess.MeansTest:
        """The test, from what the derived answer may be worked out from; it is released."""
        person = self.person.deriving(derivation)
        items = frozenset(person.granted)
        if items not in self._made:
            facts = self._told(person)
            self._made[items] = assess.means_test(the_book(), self.code, facts, self.day)
        release(person, hypothetical=bool(self.changes))
        return self._made[items]

    def _told(self, person: Person) -> HouseholdFacts:
        """The facts that the programme's rule rests on, with the caller's changes."""
        facts = facts_of(person, the_book(), self.day, facts_behind(the_book(), self.code))
        return adjusted(facts, self.changes, the_book()) if self.changes else facts


def release(person: Person, *, hypothetical: bool) -> None:
    """Remember that a derived answer is released, and whether with what the caller put in."""
    person.release(person.view.catalogue.exists(person.view.catalogue.identity))
    if hypothetical:
        person.view.derived[person.key].add(f"{person.derivation} (hypothetical)")


def deriving(name: str, resolver: Callable[..., Any], description: str) -> Any:
    """A field that is a derived answer from the facts that a programme's rule rests on."""
    book = the_book_as_read()[0]

    def of_programme(programme: str) -> Derived:
        code = book.by_key.get(programme)
        # An unknown programme is told as such, and needs no fact about anybody.
        return Derived(name, *inputs_of(book, facts_behind(book, code))) if code else Derived(name)

    return needing(Derived(name, *inputs_of(book), of_programme), resolver, description)


def _of(name: str, description: str, get: Callable[[assess.MeansTest], Any]) -> Any:
    def read(self: Any) -> Any:
        return get(self.test)

    read.__name__ = name
    return needing(Covered(), read, description)


def _missing(test: assess.MeansTest) -> list[MissingFact]:
    return missing_facts(test.lacking, [member.key for member in test.facts.members])


def missing_facts(lacking: Sequence[assess.Lacking], keys: Sequence[str]) -> list[MissingFact]:
    """What lacks, the members by their place among these keys."""
    return [
        MissingFact(
            fact=camel(entry.fact),
            en=entry.en,
            ko=entry.ko,
            member=None if entry.member is None else keys.index(entry.member) + 1,
            why=entry.why,
            settled_by=list(entry.settled_by),
        )
        for entry in lacking
    ]


def conditions(found: Sequence[assess.Condition]) -> list[TestCondition]:
    """Conditions in GraphQL."""
    return [
        TestCondition(
            name=one.name,
            en=one.step.en,
            ko=one.step.ko,
            met=one.met,
            basis=one.step.source,
            mark=one.step.mark,
        )
        for one in found
    ]


def bounds(found: assess.Bounds | None) -> Bounds | None:
    """Bounds in GraphQL."""
    if found is None:
        return None
    low, high = found
    return Bounds(
        least=None if low is None else Won(low),
        most=None if high is None else Won(high),
        exact=None if low is None or low != high else Won(low),
    )


@functools.cache
def camel(name: str) -> str:
    """A fact's name as GraphQL has it."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _place(key: str | None, facts: HouseholdFacts) -> int | None:
    keys = [member.key for member in facts.members]
    return None if key is None else keys.index(key) + 1


def _agencies(self: Any) -> list[SettlingAgency]:
    sources = self.testing.person.view.catalogue.sources
    return [
        SettlingAgency(source=name, agency=sources[name].agency, agency_ko=sources[name].agency_ko)
        for name in self.test.settled_by
    ]


def _amounts(self: Any) -> TestAmounts:
    test = self.testing.made(AMOUNTS)
    pays = test.programme.pays
    due = bounds(test.payable)

    def one(part: str) -> Bounds | None:
        found = _parts(test, part)
        return found[0].amount if found else None

    return TestAmounts(
        income=_parts(test, "income"),
        income_deductions=_parts(test, "income deduction"),
        income_evaluation=one("income evaluation"),
        assets=_parts(test, "asset"),
        asset_deductions=_parts(test, "asset deduction"),
        asset_converted=_parts(test, "asset converted"),
        converted_assets=one("converted assets"),
        recognised_income=bounds(test.recognised),
        threshold=bounds(test.threshold),
        margin=bounds(test.margin),
        payable=None
        if pays is None or due is None
        else Payable(amount=due, per=pays.per, at_most=pays.at_most),
    )


def _parts(test: assess.MeansTest, part: str) -> list[PartAmount]:
    found = []
    for name, amount in assess.parts(test, part):
        step, shown = test.rules.book.steps[name], bounds(amount)
        if shown is not None:
            found.append(
                PartAmount(name=name, en=step.en, ko=step.ko, asset=step.asset, amount=shown)
            )
    return found


def _trace(self: Any) -> list[Step]:
    test = self.testing.made(TRACE)
    return [_step(line, test.facts) for line in tracing.trace(test)]


def _step(line: tracing.Line, facts: HouseholdFacts) -> Step:
    step = line.step
    return Step(
        name=line.name,
        en=step.en,
        ko=step.ko,
        part=step.part,
        asset=step.asset,
        member=_place(line.member, facts),
        formula=" ".join(step.formula.split()),
        value=tracing.readable(line.value),
        amount=_amount(line.value),
        inputs=[_input(used, facts) for used in line.used],
        parameters=[_parameter(applied) for applied in line.applied],
        roundings=[
            StepRounding(how=one.how, before=str(one.before), after=Won(one.after))
            for one in line.rounded
        ],
        source=step.source,
        mark=step.mark,
    )


def _input(used: tracing.Used, facts: HouseholdFacts) -> StepInput:
    return StepInput(
        name=used.name,
        en=used.en,
        ko=used.ko,
        member=_place(used.member, facts),
        value=tracing.readable(used.value),
        amount=_amount(used.value),
        provenance=[
            FactOrigin(source=one.source, items=list(one.items), as_of=one.as_of)
            for one in used.origins
        ],
        hypothetical=used.hypothetical,
        missing=used.missing,
    )


def _parameter(applied: tracing.Applied) -> StepParameter:
    figure = applied.figure
    return StepParameter(
        name=applied.name,
        en=applied.en,
        ko=applied.ko,
        key=applied.key,
        value=None if applied.value is None else tracing.figure_text(applied.value),
        year=figure.year,
        since=figure.since,
        mark=figure.mark,
        source=figure.source,
    )


def _amount(value: tracing.Shown) -> Bounds | None:
    return bounds(value) if isinstance(value, tuple) else None


def _notice(self: Any) -> PlainNotice:
    test = self.testing.made(NOTICE)
    sources = self.testing.person.view.catalogue.sources
    agencies = {
        name: words.Agency(
            ko=sources[name].agency_ko or sources[name].agency, en=sources[name].agency
        )
        for name in test.settled_by
    }
    found = words.notice(test, agencies)
    return PlainNotice(ko=found.ko, en=found.en)


@strawberry.type(name="MeansTest", description="A programme's rule, applied to a household.")
class MeansTestMade:
    """The test of one programme; everything but the result is a derived answer of its own."""

    testing: strawberry.Private[Testing]
    test: strawberry.Private[assess.MeansTest]
    programme: ProgrammeOffered = _of(
        "programme", "The programme.", lambda test: offered(test.day.year)[test.code]
    )
    as_of: datetime.date = _of("as_of", "The day of the test.", lambda test: test.day)
    year: int = _of("year", "The year whose figures stand.", lambda test: test.day.year)
    result: Result = _of(
        "result",
        "ELIGIBLE or NOT_ELIGIBLE; INDETERMINATE where that hangs on what is not known.",
        lambda test: test.result,
    )
    decided: bool = _of("decided", "Whether it is decided.", lambda test: test.decided)
    by_bounds: bool = _of(
        "by_bounds",
        "Decided although facts lack: the result is the same whatever they are.",
        lambda test: test.by_bounds,
    )
    hypothetical: bool = _of(
        "hypothetical",
        "The caller put in values: a trial, no finding.",
        lambda test: bool(test.hypothetical),
    )
    adjusted: list[str] = _of(
        "adjusted",
        "What the caller put in, of what the rule uses.",
        lambda test: [camel(name) for name in test.hypothetical],
    )
    assessed: int = _of(
        "assessed", "How many people are assessed together.", lambda test: len(test.assessed)
    )
    conditions: list[TestCondition] = _of(
        "conditions",
        "The conditions beside the comparison of amounts.",
        lambda test: conditions(test.conditions),
    )
    missing: list[MissingFact] = _of("missing", "What lacks, where it is INDETERMINATE.", _missing)
    settled_by: list[SettlingAgency] = needing(
        Covered(), _agencies, "The agencies that would settle it."
    )
    assumed: list[Assumed] = _of(
        "assumed",
        "What the household did not declare, and is counted as none by the rule.",
        lambda test: [
            Assumed(fact=camel(one.fact), en=one.en, ko=one.ko) for one in test.assumptions
        ],
    )
    not_modelled: list[str] = _of(
        "not_modelled",
        "What a caseworker must still look at.",
        lambda test: list(test.programme.not_modelled),
    )
    no_figures: list[str] = _of(
        "no_figures",
        "The parameters without a figure for the year.",
        lambda test: list(test.no_figures),
    )
    basis: str = _of("basis", "The article or guide.", lambda test: test.programme.basis or "")
    amounts: TestAmounts = deriving(AMOUNTS, _amounts, "The amounts.")
    trace: list[Step] = deriving(TRACE, _trace, "Every step, in order.")
    notice: PlainNotice = deriving(NOTICE, _notice, "The result in plain words.")


_OF_MEMBER = "Of the applicant; of other members of whom it is not known, none"


def _codes(name: str, options: tuple[str, ...]) -> Any:
    """The enum of a fact that is a code."""
    title = camel(f"adjust_{name}")
    codes = {one.upper(): one for one in options}
    made: Any = enum.Enum(title[:1].upper() + title[1:], codes)  # type: ignore[misc]
    return strawberry.enum(made, description=f"What `{camel(name)}` may be.")


def adjust_type(book: Book) -> Any:
    """The input `Adjust`: every fact that a caller may put in, by name."""
    fields: dict[str, Any] = {}
    kinds: Mapping[str, Any] = {"won": Won, "number": int, "yes-no": bool}
    for name, entry in book.inputs.items():
        if name in ("applicant", "relation", "age_months"):
            continue
        kind = kinds.get(entry.type) or _codes(name, entry.options)
        of = _OF_MEMBER if entry.of == "member" else "Of the household"
        fields[name] = (kind, f"{of}: {entry.en}.")
    made = type(
        "Adjust", (), {"__annotations__": {key: kind | None for key, (kind, _) in fields.items()}}
    )
    for key, (_, description) in fields.items():
        setattr(made, key, strawberry.field(default=None, description=description))
    return strawberry.input(made, description="Values put in place of what the agencies say.")


ADJUST: Any = adjust_type(the_book_as_read()[0])


def changes_of(adjust: Any) -> dict[str, Value]:
    """What a caller puts in, by the names of the facts."""
    if adjust is None:
        return {}
    given = {name: getattr(adjust, name) for name in the_book().inputs if hasattr(adjust, name)}
    found = {
        name: value.value if isinstance(value, enum.Enum) else value
        for name, value in given.items()
        if value is not None
    }
    if "age" in found:
        found["age_months"] = 12 * found["age"]
    for name, value in found.items():
        least, most = the_book().inputs[name].least, the_book().inputs[name].most
        if isinstance(value, int) and not (least or 0) <= value <= (
            value if most is None else most
        ):
            raise GraphQLError(
                f"`{camel(name)}` cannot be so",
                extensions={"code": "BAD_VARIABLES", "remedy": f"put in {least} or more"},
            )
    return found


def may_test(info: strawberry.Info, key: str) -> None:
    """Refuse a programme that the purpose is not for. Raises GraphQLError."""
    purpose = info.context.about.purpose
    if purpose is not None and purpose.programmes and key not in purpose.programmes:
        covers = ", ".join(f"`{one}`" for one in sorted(purpose.programmes))
        raise GraphQLError(
            f"`{purpose.code}` is not for this programme",
            extensions={"code": "PURPOSE_DENIED", "remedy": f"test one of {covers}"},
        )


def may_try(info: strawberry.Info, amounts: str) -> None:
    """Refuse to try days and values where amounts may not be seen. Raises GraphQLError.

    Results for one day or value after the other would tell each amount, and the date of birth.
    """
    purpose = info.context.about.purpose
    decision = None if purpose is None else purpose.derivations.get(amounts)
    if decision is None or not decision.allowed:
        raise GraphQLError(
            f"`asOf` and `adjust` are for purposes that name `{amounts}`",
            extensions={"code": "PURPOSE_DENIED", "remedy": "leave them out"},
        )


def _means_test(
    self: Any,
    info: strawberry.Info,
    programme: strawberry.ID,
    as_of: datetime.date | None = None,
    adjust: ADJUST | None = None,
) -> MeansTestMade:
    book = the_book()
    code = book.by_key.get(programme)
    if code not in book.listed or not book.programmes[code].decidable:
        raise no_programme()
    may_test(info, book.programmes[code].key)
    if as_of is not None or adjust is not None:
        may_try(info, AMOUNTS)
    testing = Testing(self.person, code, as_of or today(), changes_of(adjust))
    return MeansTestMade(testing=testing, test=testing.made(RESULT))


def means_test() -> Any:
    """The field `meansTest` of a type that has a `person`."""
    return deriving(
        RESULT,
        _means_test,
        "A programme, by id or key, tested for the recipient and their household, on today's facts"
        " and by the figures of the day's year.",
    )
