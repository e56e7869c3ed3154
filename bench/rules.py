"""The rules for one household: what a test, a trace and every programme take."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from schema.rules.assess import means_test
from schema.rules.book import the_book
from schema.rules.entitlements import entitlements
from schema.rules.facts import Absent, Fact, HouseholdFacts, Known, Member, NotKnown
from schema.rules.trace import trace

DAY = datetime.date(2026, 6, 1)


def works() -> dict[str, Callable[[], object]]:
    """What is timed, by name, on a household of four."""
    book = the_book()
    code = book.by_key["livelihood"]
    known, missing = _household(lacking=False), _household(lacking=True)
    return {
        f"{len(book.listed)} programmes, all known": lambda: entitlements(book, known, DAY),
        f"{len(book.listed)} programmes, facts missing": lambda: entitlements(book, missing, DAY),
        "one means test": lambda: means_test(book, code, missing, DAY),
        "its trace": lambda: trace(means_test(book, code, missing, DAY)),
    }


def _household(*, lacking: bool) -> HouseholdFacts:
    book = the_book()

    def facts(of: str) -> dict[str, Fact]:
        found: dict[str, Fact] = {
            name: Known(entry.options[0]) if entry.options else Absent()
            for name, entry in book.inputs.items()
            if entry.of == of
        }
        if lacking:
            found |= {
                name: NotKnown("unavailable", ("bank",))
                for name in ("financial", "debt", "disabled", "earned_income")
                if name in found
            }
        return found

    others = [
        Member(str(number), {**facts("member"), "relation": Known(relation), "age": Known(age)})
        for number, (relation, age) in enumerate((("spouse", 40), ("child", 9), ("child", 5)))
    ]
    first = Member("a", {**facts("member"), "relation": Known("self"), "age": Known(42)})
    return HouseholdFacts((first, *others), facts("household"))
