"""`duplicateReceipts` and `wouldDuplicate`: the facts out of the view, the checks into GraphQL."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLError

from schema import double_receipt as pure
from schema.double_receipt import Facts, Kind, Paid, Result, Unknown
from schema.law import Basis, law
from schema.needs import Area, Derived, Place, covered, needing
from schema.rules.book import the_book
from schema.scalars import Month, Won
from schema.view import NotKnown, Person, Row, State, lists_below
from schema.working_days import today
from sources.declaration import Item

DUPLICATES = "duplicateReceipts"
FORESIGHT = "wouldDuplicate"
_RECEIPTS = "benefits.receipts."
_DAYS = {
    "death": ("identity.deathDate", "death"),
    "abroad_since": ("stay.abroadSince", "abroad"),
    "abroad_until": ("stay.abroadUntil", "abroad"),
    "custody_since": ("custody.since", "custody"),
    "custody_until": ("custody.until", "custody"),
    "household_since": ("household.since", "household"),
}
"""The facts beside the receipts: the place of each, and which of `settled_by` would settle it."""

_PROGRAMME = "applications.programme"


@strawberry.type(description="What a rule rests on.")
class RuleBasis:
    """Act or guide, article and mark."""

    act: str = covered("The act or guide.")
    article: str = covered("The article, or the part of the guide.")
    mark: str = covered("S: a public source names it; K: to be checked before relied on.")


@strawberry.type(description="What is not known, and who would settle it.")
class Unsettled:
    """A fact that a check lacks."""

    state: State = covered("WITHHELD or UNAVAILABLE.")
    settled_by: str = covered("Who would settle it.")
    item: str | None = covered("The data item; null where no enabled source has one.")


@strawberry.type(description="Receipts that are too many, by one rule.")
class DoubleReceipt:
    """The GraphQL form of `Finding`."""

    programmes: list[str] = covered("Keys of the programmes.")
    offices: list[str] = covered("The offices that pay.")
    months: list[Month] = covered("The months, oldest first.")
    amount: Won | None = covered("What these receipts come to; null while an amount is not known.")
    reason: str = covered("Why they are too many.")
    basis: RuleBasis = covered("What the rule rests on.")


@strawberry.type(description="One check of the receipts.")
class ReceiptCheck:
    """The GraphQL form of `Check`."""

    kind: Kind = covered("What is checked.")
    result: Result = covered("What it came to, as far as is known.")
    findings: list[DoubleReceipt] = covered("What was found.")
    missing: list[Unsettled] = covered("What is not known that might change the result.")


@strawberry.type(description="Whether anything is received twice, or beyond its end.")
class DuplicateReceipts:
    """Every check, and the gravest of their results."""

    result: Result = covered("FOUND, else TO_REVIEW, else NOT_KNOWN where a check lacks a fact.")
    checks: list[ReceiptCheck] = covered("Every check.")


@strawberry.type(description="A programme received now that stands in the way of another.")
class ReceiptConflict:
    """The GraphQL form of `Conflict`."""

    kind: Kind = covered("SAME_PROGRAMME or EXCLUSIVE.")
    receipt: DoubleReceipt = covered("What is received now.")


@strawberry.type(description="Whether granting a programme now would make a double receipt.")
class Foresight:
    """The GraphQL form of `Foresight`."""

    programme: str = covered("Key of the programme.")
    result: Result = covered("FOUND, NOT_FOUND, or NOT_KNOWN where a fact lacks.")
    conflicts: list[ReceiptConflict] = covered("What stands in the way.")
    missing: list[Unsettled] = covered("What is not known that might change the result.")


def _unknown(error: NotKnown, person: Person, item: Item) -> Unknown:
    agency = person.view.catalogue.sources[item.source].agency
    return Unknown(error.state, agency, item.name)


def _receipts(person: Person) -> tuple[Paid, ...] | Unknown:
    """Every receipt that the sources know of, or why they are not known."""
    found: list[Paid] = []
    lists = list(lists_below(person.view.catalogue, _RECEIPTS))
    for columns in lists:
        try:
            found += [_paid(row) for row in person.peek_rows(columns) or ()]
        except NotKnown as error:
            return _unknown(error, person, columns[0])
    if not lists:
        return Unknown(State.UNAVAILABLE, "the register of benefits")
    return tuple(found)


def _paid(row: Row) -> Paid:
    def at(name: str) -> Any:
        items = row.columns.values()
        found = (item for item in items if f"{_RECEIPTS}{name}" in item.places)
        item = next(found, None)
        return None if item is None else row.peek(item)

    return Paid(at("programme"), at("office"), at("month"), at("state"), at("amount"))


def _incomplete(person: Person) -> Unknown:
    items = person.view.catalogue.at(f"{_RECEIPTS}programme")
    agencies = [person.view.catalogue.sources[item.source].agency for item in items]
    return Unknown(State.UNAVAILABLE, agencies[0] if agencies else "the register of benefits")


def _day(person: Person, place: str, settled_by: str) -> pure.Day:
    items = person.view.catalogue.at(place)
    if not items:
        return Unknown(State.UNAVAILABLE, getattr(law().receipts.settled_by, settled_by))
    try:
        found: pure.Day = person.peek_at(place)
    except NotKnown as error:
        return _unknown(error, person, items[0])
    return found


def _facts(person: Person) -> Facts:
    days = {name: _day(person, *where) for name, where in _DAYS.items()}
    for since, until in (("abroad_since", "abroad_until"), ("custody_since", "custody_until")):
        # A source that tells of stays by their beginning alone tells of those that last.
        if not person.view.catalogue.at(_DAYS[until][0]):
            days[until] = None
        if days[since] is None:
            days[until] = None
    return Facts(receipts=_receipts(person), **days)


def _month(person: Person) -> str:
    """The month that the benefits are known for: that of the latest answer, else this one."""
    dates = []
    for columns in lists_below(person.view.catalogue, _RECEIPTS):
        try:
            dates.append(person.answer(columns[0]).as_of)
        except NotKnown:
            continue
    return pure.month_of(max((date for date in dates if date is not None), default=today()))


def _used(person: Person, place: str) -> None:
    """Remember that the derived answer is given."""
    for item in person.view.catalogue.at(place)[:1]:
        person.release(item)


def _duplicates(self: Any) -> DuplicateReceipts:
    person: Person = self.person.deriving(DUPLICATES)
    _used(person, f"{_RECEIPTS}programme")
    found = pure.checks(_facts(person), law().receipts, _incomplete(person))
    results = {check.result for check in found}
    order = (Result.FOUND, Result.TO_REVIEW, Result.NOT_KNOWN, Result.NOT_FOUND)
    return DuplicateReceipts(
        result=next(result for result in order if result in results),
        checks=[
            ReceiptCheck(
                kind=check.kind,
                result=check.result,
                findings=[_finding(finding) for finding in check.findings],
                missing=[_missing(unknown) for unknown in check.missing],
            )
            for check in found
        ],
    )


def _foresight(person: Person, programme: str) -> Foresight:
    """Whether a programme, by id or key, would duplicate. Raises GraphQLError for none."""
    code = the_book().by_key.get(programme)
    if code is None:
        raise no_programme()
    person = person.deriving(FORESIGHT)
    _used(person, f"{_RECEIPTS}programme")
    key = the_book().programmes[code].key
    found = pure.would_duplicate(
        key, _receipts(person), _month(person), law().receipts, _incomplete(person)
    )
    return Foresight(
        programme=key,
        result=found.result,
        conflicts=[
            ReceiptConflict(kind=one.kind, receipt=_finding(one.finding)) for one in found.conflicts
        ],
        missing=[_missing(unknown) for unknown in found.missing],
    )


def _at_recipient(self: Any, programme: strawberry.ID) -> Foresight:
    return _foresight(self.person, programme)


def _at_application(self: Any, programme: strawberry.ID | None = None) -> Foresight:
    row: Row = self.row
    person = Person(row.owner.view, row.owner.key)
    return _foresight(person, programme or _applied_for(row, person))


def _applied_for(row: Row, person: Person) -> str:
    """The programme of the application itself. Raises NotKnown."""
    own = Row(person.deriving(FORESIGHT), row.answer, row.columns, row.values)
    for item in row.columns.values():
        if _PROGRAMME in item.places:
            return str(own.peek(item))
    raise no_programme()


def _finding(finding: pure.Finding) -> DoubleReceipt:
    amount = finding.amount
    return DoubleReceipt(
        programmes=list(finding.programmes),
        offices=list(finding.offices),
        months=[Month(month) for month in finding.months],
        amount=None if amount is None else Won(amount),
        reason=finding.reason,
        basis=rule_basis(finding.basis),
    )


def rule_basis(basis: Basis) -> RuleBasis:
    """What a rule rests on, in GraphQL."""
    return RuleBasis(act=basis.act, article=basis.article, mark=basis.mark)


def _missing(unknown: Unknown) -> Unsettled:
    return Unsettled(state=unknown.state, settled_by=unknown.settled_by, item=unknown.item)


def no_programme() -> GraphQLError:
    """The error of a programme that there is not."""
    return GraphQLError(
        "there is no such programme",
        extensions={"code": "NO_SUCH_PROGRAMME", "remedy": "take an id or key of `programmes`"},
    )


def duplicate_receipts() -> Any:
    """The field `duplicateReceipts` of a type that has a `person`."""
    days = (Place(place) for place, _ in _DAYS.values())
    return needing(
        Derived(DUPLICATES, own=(Area(_RECEIPTS), *days)),
        _duplicates,
        "Whether the recipient receives anything twice, or beyond its end.",
    )


def would_duplicate() -> Any:
    """The field `wouldDuplicate` of a type that has a `person`."""
    return needing(
        Derived(FORESIGHT, own=(Area(_RECEIPTS),)),
        _at_recipient,
        "Whether granting a programme, by id or key, now would make a double receipt.",
    )


def application_would_duplicate() -> Any:
    """The field `wouldDuplicate` of a type that has a `row` of applications."""
    return needing(
        Derived(FORESIGHT, own=(Area(_RECEIPTS), Place(_PROGRAMME))),
        _at_application,
        "Whether granting it would make a double receipt; or granting another `programme`.",
    )
