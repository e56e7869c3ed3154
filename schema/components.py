"""Income and assets, put together from every item that declares a place in them.

Rules, each visible in the answer:

- An amount that several sources report under one name (`reports` in their declarations) is one
  component with every report kept. Reports of one `rank` are parts of it and are added up; its
  amount is that of the first rank (the lowest) that is known, and known whole.
- Reports that differ by more than `DIFFERS_BY` of the larger are flagged, never averaged.
- A total is known only when every item it is made of is known or absent: never a partial sum.
- Yearly amounts are exact: a monthly one is taken twelve times.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property
from operator import attrgetter
from typing import Any

import strawberry

from schema.needs import Covered, needing
from schema.provenance import Provenance
from schema.scalars import Won
from schema.view import Answer, Failure, NotKnown, Person, State, unavailable
from sources.declaration import Item

DIFFERS_BY = Fraction(1, 10)
"""Reports of one thing that differ by more than this share of the larger are flagged."""


@strawberry.enum(description="Kinds of income.")
class IncomeKind(Enum):
    """Where an item counts in income: `income.<kind>` in its declaration."""

    EARNED = "earned"
    BUSINESS = "business"
    INTEREST = "interest"
    DIVIDEND = "dividend"
    RENTAL = "rental"
    PENSION = "pension"
    BENEFIT = "benefit"
    TRANSFER = "transfer"
    OTHER = "other"


@strawberry.enum(description="Kinds of assets.")
class AssetKind(Enum):
    """Where an item counts in assets: `assets.<kind>` in its declaration."""

    LAND = "land"
    BUILDING = "building"
    DEPOSIT = "deposit"
    VEHICLE = "vehicle"
    FINANCIAL = "financial"
    DEBT = "debt"
    OTHER = "other"


@strawberry.enum(description="The period an amount is of.")
class Period(Enum):
    """A flow's period; a stock has none."""

    MONTH = "month"
    YEAR = "year"


_PER_YEAR: Mapping[str | None, int] = {"month": 12, "year": 1, None: 1}


@dataclass(frozen=True, slots=True)
class Reported:
    """One amount that one source reports, in won for its period."""

    item: Item
    amount: int
    answer: Answer
    owner: Person

    @property
    def period(self) -> Period | None:
        """The period the amount is of."""
        return Period(self.item.per) if self.item.per else None

    @property
    def per_year(self) -> int:
        """The amount a year, exact; of a stock, the amount itself."""
        return self.amount * _PER_YEAR[self.item.per]


@dataclass(frozen=True, slots=True)
class Gap:
    """An item that is not known, and why."""

    item: Item
    error: NotKnown

    @property
    def state(self) -> State:
        """WITHHELD, UNAVAILABLE or STALE."""
        return self.error.state

    @property
    def code(self) -> str:
        """The error code."""
        return str((self.error.extensions or {})["code"])


@dataclass(frozen=True, slots=True)
class Combined:
    """One component: its ranks of reports in precedence, each known whole; the first counts.

    `partial` are reports of ranks of which something is not known.
    """

    kind: str
    ranks: tuple[tuple[Reported, ...], ...]
    partial: tuple[Reported, ...] = ()

    @property
    def reports(self) -> tuple[Reported, ...]:
        """Every report, those that count first."""
        return (*(report for rank in self.ranks for report in rank), *self.partial)

    @property
    def first(self) -> Reported:
        """The report first in precedence."""
        return self.ranks[0][0]

    @property
    def period(self) -> Period | None:
        """The period of the amount: where its parts are of several, the year."""
        periods = {report.period for report in self.ranks[0]}
        return periods.pop() if len(periods) == 1 else Period.YEAR

    @property
    def amount(self) -> int:
        """What counts, in won for its period."""
        period = self.period
        return self.per_year // _PER_YEAR[period and period.value]

    @property
    def per_year(self) -> int:
        """What counts a year, exact; of a stock, what counts."""
        return _sum(self.ranks[0])

    @property
    def differs(self) -> bool:
        """Whether two ranks are further apart than `DIFFERS_BY`."""
        amounts = [_sum(rank) for rank in self.ranks]
        return max(amounts) - min(amounts) > DIFFERS_BY * max(map(abs, amounts))


def _sum(reports: Iterable[Reported]) -> int:
    return sum([report.per_year for report in reports])


@dataclass(frozen=True)
class Parts:
    """What is known of one area (income or assets), and what is missing."""

    person: Person
    combined: tuple[Combined, ...]
    gaps: Mapping[str, tuple[Gap, ...]]
    known: Mapping[str, tuple[Item, ...]]

    @cached_property
    def _by_kind(self) -> Mapping[str, Sequence[Combined]]:
        found: dict[str, list[Combined]] = {}
        for part in self.combined:
            found.setdefault(part.kind, []).append(part)
        return found

    def of_kind(self, kind: str) -> Sequence[Combined]:
        """The components of a kind."""
        return self._by_kind.get(kind, ())

    def release(self, kinds: Iterable[str]) -> None:
        """Remember that what is known of these kinds is released."""
        for kind in kinds:
            for item in self.known.get(kind, ()):
                self.person.release(item)

    def total(self, kinds: Sequence[str]) -> int:
        """The sum for these kinds, won a year (a stock: won). Raises NotKnown if any is missing."""
        for kind in kinds:
            for gap in self.gaps.get(kind, ()):
                raise gap.error
        self.release(kinds)
        return sum(part.per_year for part in self.combined if part.kind in kinds)


def put_together(person: Person, prefix: str, kinds: Sequence[str]) -> Parts:
    """Put together the components of an area for one person; nothing is released by that."""
    combined: list[Combined] = []
    known: dict[str, tuple[Item, ...]] = {}
    gaps: dict[str, tuple[Gap, ...]] = {}
    for kind in kinds:
        reported: list[Reported] = []
        missing: list[Gap] = []
        stale: list[Gap] = []
        for item in person.view.catalogue.at(prefix + kind):
            try:
                answer = person.answer(item)
                amounts = _amounts(person, item, answer)
            except NotKnown as error:
                missing.append(Gap(item, error))
                continue
            if answer.state is State.STALE:
                # It is shown and labelled, and counts in no total.
                stale.append(Gap(item, unavailable(item.source, Failure("SOURCE_STALE"))))
            conditions = person.view.catalogue.condition_items(item)
            known[kind] = (*known.get(kind, ()), item, *conditions)
            if item.reports is None:
                combined += [Combined(kind, ((amount,),)) for amount in amounts]
            elif amounts:
                whole = sum(amount.amount for amount in amounts)
                reported.append(Reported(item, whole, amounts[0].answer, person))
        if reported:
            combined += _ranked(kind, reported, missing)
        if missing or stale:
            gaps[kind] = (*missing, *stale)
    return Parts(person, tuple(combined), gaps, known)


def _ranked(kind: str, reported: Sequence[Reported], missing: Sequence[Gap]) -> Iterator[Combined]:
    """A component for each thing reported of which some rank is known whole."""
    lost = {(gap.item.reports, gap.item.rank) for gap in missing}
    things: dict[str | None, dict[int, list[Reported]]] = {}
    for report in reported:
        ranks = things.setdefault(report.item.reports, {})
        ranks.setdefault(report.item.rank, []).append(report)
    for thing, ranks in things.items():
        whole = tuple(tuple(ranks[rank]) for rank in sorted(ranks) if (thing, rank) not in lost)
        partial = (report for rank in ranks if (thing, rank) in lost for report in ranks[rank])
        if whole:
            yield Combined(kind, whole, tuple(partial))


def _amounts(person: Person, item: Item, answer: Answer) -> list[Reported]:
    """What an item reports: one amount, or one for each row that counts. Raises NotKnown."""
    if len(item.path) == 1:
        value = person.peek(item)
        return [] if value is None else [Reported(item, value, answer, person)]
    rows = person.peek_rows((item, *person.view.catalogue.condition_items(item))) or []
    amounts = [row.peek(item) for row in rows if row.counts(item)]
    return [Reported(item, amount, answer, person) for amount in amounts if amount is not None]


def _of(path: str, description: str) -> Any:
    """A field that shows an attribute, dotted, of the plain value behind a GraphQL type."""
    get = attrgetter(f"fact.{path}")

    def read(self: Any) -> Any:
        return get(self)

    return needing(Covered(), read, description)


def _provenance(self: Any) -> Provenance:
    fact = self.fact if isinstance(self.fact, Reported) else self.fact.first
    return Provenance(answer=fact.answer, keyed=fact.owner)


@strawberry.type(description="One source's report of an amount, kept beside others of the same.")
class Report:
    """The GraphQL form of `Reported`."""

    fact: strawberry.Private[Reported]
    item: str = _of("item.name", "The data item.")
    source: str = _of("item.source", "The source that reports it.")
    amount: Won = _of("amount", "The amount for its period.")
    period: Period | None = _of("period", "The period the amount is of; null for a stock.")
    per_year: Won = _of("per_year", "The amount a year, exact; of a stock, the amount itself.")
    as_of: datetime.date | None = _of("answer.as_of", "The date the source says its data is of.")
    provenance: Provenance = needing(Covered(), _provenance, "Where the report came from.")


@strawberry.type(description="What is not known, and why.")
class Missing:
    """The GraphQL form of `Gap`."""

    fact: strawberry.Private[Gap]
    item: str = _of("item.name", "The data item.")
    source: str = _of("item.source", "The source that would know it.")
    state: State = _of("state", "WITHHELD, UNAVAILABLE or STALE.")
    code: str = _of("code", "The error code.")


def _reports(self: Any) -> list[Report]:
    return [Report(fact=report) for report in self.fact.reports]


@strawberry.type
class _Component:
    fact: strawberry.Private[Combined]
    amount: Won = _of("amount", "The amount for its period, by the reports first in precedence.")
    period: Period | None = _of("period", "The period the amount is of; null for a stock.")
    per_year: Won = _of("per_year", "The amount a year, exact; of a stock, the amount itself.")
    source: str = _of(
        "first.item.source", "The source of the amount; the first, where several give parts of it."
    )
    as_of: datetime.date | None = _of(
        "first.answer.as_of", "The date the source says its data is of."
    )
    differs: bool = _of(
        "differs", "Whether reports of it differ by more than a tenth of the larger."
    )
    reports: list[Report] = needing(
        Covered(), _reports, "Every report of it, in the declared precedence (`rank`)."
    )
    provenance: Provenance = needing(Covered(), _provenance, "Where the amount came from.")


@strawberry.type(description="One component of income.")
class IncomeComponent(_Component):
    """The GraphQL form of `Combined` in income."""

    kind: IncomeKind = needing(Covered(), lambda self: IncomeKind(self.fact.kind), "Its kind.")


@strawberry.type(description="One component of the assets.")
class AssetComponent(_Component):
    """The GraphQL form of `Combined` in assets."""

    kind: AssetKind = needing(Covered(), lambda self: AssetKind(self.fact.kind), "Its kind.")


def _shown(made: Callable[..., Any]) -> Callable[[Any], list[Any]]:
    """The components as a GraphQL type. To show which there are tells of those there are not."""

    def read(self: Any) -> list[Any]:
        self.parts.release(self.kinds)
        return [made(fact=fact) for fact in self.parts.combined]

    return read


def _amount(self: Any) -> int:
    return int(self.parts.total(self.kinds))


def _net(self: Any) -> int:
    owned = [kind for kind in self.kinds if kind != AssetKind.DEBT.value]
    debts = [kind for kind in self.kinds if kind == AssetKind.DEBT.value]
    return int(self.parts.total(owned) - self.parts.total(debts))


def _complete(self: Any) -> bool:
    return not any(self.parts.gaps.get(kind) for kind in self.kinds)


def _missing(self: Any) -> list[Missing]:
    return [Missing(fact=gap) for kind in self.kinds for gap in self.parts.gaps.get(kind, ())]


_AMOUNT = "The total, of flows a year; null with an error while any item of it is not known."
_COMPLETE = "Whether everything it is made of is known."
_MISSING = "What is not known of it."


@strawberry.type
class _Sum:
    parts: strawberry.Private[Parts]
    kinds: strawberry.Private[Sequence[str]]
    amount: Won | None = needing(Covered(), _amount, _AMOUNT)
    complete: bool = needing(Covered(), _complete, _COMPLETE)
    missing: list[Missing] = needing(Covered(), _missing, _MISSING)


@strawberry.type(description="The total of one kind of income, won a year.")
class IncomeTotal(_Sum):
    """A sum over one kind."""

    kind: IncomeKind = needing(Covered(), lambda self: IncomeKind(self.kinds[0]), "The kind.")


@strawberry.type(description="The total of one kind of assets, won.")
class AssetTotal(_Sum):
    """A sum over one kind."""

    kind: AssetKind = needing(Covered(), lambda self: AssetKind(self.kinds[0]), "The kind.")


@strawberry.type(description="Income from every source that counts in it.")
class Income:
    """The area `income`."""

    parts: strawberry.Private[Parts]
    kinds: strawberry.Private[Sequence[str]]
    components: list[IncomeComponent] = needing(
        Covered(),
        _shown(IncomeComponent),
        "What income is made of.",
    )
    totals: list[IncomeTotal] = needing(
        Covered(),
        lambda self: [IncomeTotal(parts=self.parts, kinds=(kind,)) for kind in self.kinds],
        "Totals by kind, of the kinds that some source declares.",
    )
    total: Won | None = needing(Covered(), _amount, _AMOUNT)
    complete: bool = needing(Covered(), _complete, _COMPLETE)
    missing: list[Missing] = needing(Covered(), _missing, _MISSING)


@strawberry.type(description="Assets from every source that counts in them.")
class Assets:
    """The area `assets`."""

    parts: strawberry.Private[Parts]
    kinds: strawberry.Private[Sequence[str]]
    components: list[AssetComponent] = needing(
        Covered(),
        _shown(AssetComponent),
        "What the assets are made of.",
    )
    totals: list[AssetTotal] = needing(
        Covered(),
        lambda self: [AssetTotal(parts=self.parts, kinds=(kind,)) for kind in self.kinds],
        "Totals by kind, of the kinds that some source declares.",
    )
    total: Won | None = needing(
        Covered(),
        _net,
        "What they come to, debts taken off; null with an error while any of it is not known.",
    )
    complete: bool = needing(Covered(), _complete, _COMPLETE)
    missing: list[Missing] = needing(Covered(), _missing, _MISSING)


def area(person: Person, prefix: str, kinds: type[IncomeKind | AssetKind]) -> Any:
    """The `Income` or `Assets` of a person, over the kinds that some source declares."""
    declared = [kind.value for kind in kinds if person.view.catalogue.at(prefix + kind.value)]
    parts = put_together(person, prefix, declared)
    made = Income if kinds is IncomeKind else Assets
    return made(parts=parts, kinds=declared)
