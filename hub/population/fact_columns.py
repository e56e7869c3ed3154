"""How facts are worked out over columns: sums, the first report that counts, homes, relations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from schema.household_facts import RELATIONS
from schema.rules.book import Book, Input
from sources.declaration import Item

HOUSEHOLD, HEAD, RESIDENCE = "household", "head", "residence"
"""Columns: whose household it is, the relation to its head, the district lived in."""
TOLD = "told__"
"""A column of what was asked live: whether the agency told of a person."""
Column = Callable[[Any], Any]
"""A column of a table, made from it."""


def homes(worth: Column) -> dict[str, Column]:
    """The home and the other buildings, with bounds, of people of whom `homes` are told."""

    def home(whole: Any) -> Any:
        told = (whole["homes"].fill_null(0) <= 1) & (
            whole[RESIDENCE].notnull() | (worth(whole) == 0)
        )
        return told.ifelse(whole["homes_worth"].fill_null(0), None)

    def most(whole: Any) -> Any:
        return whole[RESIDENCE].isnull().ifelse(worth(whole), whole["homes_worth"].fill_null(0))

    return {
        "home": home,
        "buildings": lambda whole: worth(whole) - home(whole),
        "home_most": most,
        "buildings_least": lambda whole: worth(whole) - most(whole),
        "buildings_most": worth,
    }


def counts(rows: Any, item: Item) -> Any:
    """Whether a row of a list counts, by its declaration; None where every row does."""
    found = None
    for column, wanted in item.counts_when:
        value = rows[column]
        one = value.isnull() if wanted == "absent" else value.cast("string") == wanted
        found = one if found is None else found & one
    return found


def summed(columns: Sequence[Column]) -> Column:
    """What is known of these, added up; nothing is 0: the agencies say that there is none."""

    def add(whole: Any) -> Any:
        import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

        amounts = [column(whole).coalesce(0) for column in columns]
        return reduce(lambda one, other: one + other, amounts) if amounts else ibis.literal(0)

    return lambda whole: add(whole).cast("int64")


def ranked(ranks: Sequence[Sequence[Column]]) -> Column:
    """Of one thing reported the reports of the first rank that has any, added up."""

    def first(whole: Any) -> Any:
        found = None
        for rank in ranks:
            reports = [column(whole) for column in rank]
            none = reduce(lambda one, other: one & other, (one.isnull() for one in reports))
            amount = none.ifelse(None, summed(rank)(whole))
            found = amount if found is None else found.coalesce(amount)
        return found

    return first


def not_below_zero(amount: Any) -> Any:
    """An amount, and 0 for one below."""
    return (amount > 0).ifelse(amount, 0)


def unknown(entry: Input) -> Column:
    """A column of a fact that is known of nobody."""
    kind = {"won": "int64", "number": "int64", "yes-no": "boolean", "code": "string"}[entry.type]

    def null(_: Any) -> Any:
        import ibis  # noqa: PLC0415 - as above

        return ibis.null(kind)

    return null


def as_fact(entry: Input, first: Column, *, known: bool) -> Column:
    """A value as the rules take it; where every agency is known, what none says is none."""

    def fact(whole: Any) -> Any:
        value = first(whole)
        if value is None:
            return unknown(entry)(whole)
        if entry.type == "code":
            return value.isin(entry.options).ifelse(value, None)
        if entry.type == "yes-no" and not value.type().is_boolean():
            value = value.isin(entry.when)
        none = entry.type != "yes-no"
        return value.coalesce(0 if none else False) if known else value

    return fact


def typed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns, those that stand for nothing as amounts that are null."""
    import ibis  # noqa: PLC0415 - as above

    return {
        name: ibis.null("int64") if column is None else column for name, column in columns.items()
    }


def related(own: Any, theirs: Any) -> Any:
    """A member's relation to the applicant, from how both stand to the head of the household."""
    import ibis  # noqa: PLC0415 - as above

    return ibis.cases(
        *(((own == one) & (theirs == other), found) for (one, other), found in RELATIONS.items())
    )


def of_household(book: Book, names: Sequence[str], residence: Any) -> dict[str, Any]:
    """The facts of a household that are told by where it lives: of the longest prefix that fits."""
    import ibis  # noqa: PLC0415 - as above

    found = {}
    for name in names:
        entry = book.inputs[name]
        if entry.of != "household":
            continue
        if not entry.prefixes:
            if entry.declared is None:
                found[name] = unknown(entry)(None)
            continue
        prefixes = sorted(entry.prefixes, key=len, reverse=True)
        cases = [(residence.startswith(prefix), entry.prefixes[prefix]) for prefix in prefixes]
        found[name] = ibis.cases(*cases)
    return found


def where_told(told: Sequence[str], known: Column | None, without: Column | None) -> Column:
    """One column of whoever all of these agencies told of, another of whoever they did not."""

    def column(whole: Any) -> Any:
        import ibis  # noqa: PLC0415 - as above

        one, other = (None if each is None else each(whole) for each in (known, without))
        if one is None and other is None:
            return None
        every = reduce(lambda a, b: a & b, (whole[name].fill_null(False) for name in told))
        return ibis.ifelse(every, one, other)

    return column
