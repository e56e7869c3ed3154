"""`programmes` in GraphQL: the list, open to every caller, as it holds no personal data."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import strawberry
from graphql import GraphQLError

from schema.needs import covered
from schema.rules.book import the_book
from schema.rules.thresholds import thresholds
from schema.scalars import Won
from schema.working_days import today

KEPT = 20
"""Years of which the list is kept: callers choose them."""


@strawberry.type(description="The most recognised income a month at which a benefit is given.")
class Threshold:
    """A threshold for one size of what is assessed together."""

    household_size: int = covered("How many people are assessed together; a couple is 2.")
    amount: Won = covered("The threshold, won a month.")


@strawberry.type(name="Programme", description="A benefit or service, with its criterion.")
class ProgrammeOffered:
    """A programme as it is in one year."""

    id: strawberry.ID = covered("Its number in the public list of services.")
    key: str = covered("What agencies call it in receipts and applications.")
    name_ko: str = covered("Its Korean name.")
    name_en: str = covered("Its English name.")
    ministry: str = covered(
        "The ministries or bodies in charge, abbreviated; `local` is a council."
    )
    target: str = covered("Whom it is for, in words.")
    criterion: str = covered("Who may receive it, in words.")
    mark: str = covered("Of the criterion. S: a public source names it; K: to be checked.")
    decided_by_rule: bool = covered("Whether a rule decides it.")
    basis: str | None = covered("The article or guide that the rule follows.")
    basis_mark: str | None = covered("Of the rule, S or K.")
    not_modelled: list[str] = covered("What the rule leaves for a caseworker to look at.")
    thresholds: list[Threshold] = covered(
        "Thresholds by size, 1 to 8; none where it has none, or the year lacks its figures."
    )


def listed(year: int | None = None) -> list[ProgrammeOffered]:
    """The programmes of the list as they are in a year, by default this one.

    Raises GraphQLError for a year of which there are no figures.
    """
    years = the_book().years
    wanted = today().year if year is None else year
    if wanted not in years:
        message = f"there are figures of the years {years[0]} to {years[-1]}"
        extensions = {"code": "NO_SUCH_YEAR", "remedy": "ask for one of these years"}
        raise GraphQLError(message, extensions=extensions)
    return list(_listed(wanted))


@functools.lru_cache(maxsize=KEPT)
def offered(year: int) -> Mapping[str, ProgrammeOffered]:
    """The programmes of the list as they are in any year, by id."""
    return {str(one.id): one for one in _listed(year)}


@functools.lru_cache(maxsize=KEPT)
def _listed(year: int) -> tuple[ProgrammeOffered, ...]:
    book = the_book()
    return tuple(
        ProgrammeOffered(
            id=strawberry.ID(code),
            key=one.key,
            name_ko=one.name_ko,
            name_en=one.name_en,
            ministry=one.ministry,
            target=one.target,
            criterion=one.criterion,
            mark=one.mark,
            decided_by_rule=one.decidable,
            basis=one.basis,
            basis_mark=one.basis_mark,
            not_modelled=list(one.not_modelled),
            thresholds=[
                Threshold(household_size=size, amount=Won(amount))
                for size, amount in thresholds(book, code, year)
            ],
        )
        for code, one in sorted(book.programmes.items())
        if code in book.listed
    )
