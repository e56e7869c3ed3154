"""The checks in their order, each with the grade that it is needed for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from sources.adapter import ContractBroken, SourceRefused, SourceUnavailable
from sources.conformance import answers, faults, wire
from sources.conformance.setting import Setting

Grade = Literal["bronze", "silver", "gold"]
Run = Callable[[Setting], Awaitable[None]]


@dataclass(frozen=True)
class Check:
    """One check: its name, what it shows, and the lowest grade that needs it."""

    name: str
    grade: Grade
    shows: str
    run: Run


def _fault(mode: str, shows: str, run: Run, grade: Grade = "bronze") -> Check:
    return Check(f"fault {mode}", grade, shows, run)


_BROKEN = (ContractBroken,)
_EITHER = (SourceUnavailable, ContractBroken)
_ANY = (*_EITHER, SourceRefused)

CHECKS: tuple[Check, ...] = (
    Check("answers", "bronze", "people it knows have records", answers.answers_at_all),
    Check("gives items", "bronze", "the granted, no other", answers.breaks_nothing("extra-item")),
    Check(
        "gives people",
        "bronze",
        "those asked, no other",
        answers.breaks_nothing("other-person", "duplicate"),
    ),
    Check(
        "gives types",
        "bronze",
        "each value as declared",
        answers.breaks_nothing("wrong-type", "missing-item"),
    ),
    Check("asks items", "bronze", "exactly the granted", wire.asks_only_what_is_granted),
    Check("asks people", "bronze", "exactly those named", wire.asks_only_about_whom_it_is_told),
    Check("asks once", "silver", "one call a batch", wire.asks_once_a_batch),
    Check("asks openly", "gold", "it says why", wire.says_why_it_asks),
    Check("addresses", "bronze", "nobody's id in them", wire.keeps_people_out_of_addresses),
    Check("values", "silver", "units, dates, money", answers.gives_values_as_the_agency_holds_them),
    Check("unknown", "silver", "no record, nothing else", answers.tells_none_from_unknown),
    Check("order", "silver", "changes nothing", answers.gives_each_person_their_own),
    Check("dates", "gold", "records say of when they are", answers.says_of_when_it_is),
    Check("names", "gold", "the agency's in Korean", answers.names_the_agency_in_korean),
    Check("apart", "silver", "100 operations at once", wire.keeps_operations_apart),
    _fault("extra-item", "dropped, counted", faults.drops_what_was_not_asked),
    _fault("other-person", "dropped, counted", faults.drops_other_people),
    _fault("other-person-only", "is no answer", faults.takes_another_for_no_answer),
    _fault("wrong-type", "no value, counted", faults.breaks_values("wrong-type")),
    _fault("missing-item", "no value, counted", faults.breaks_values("missing-item")),
    _fault("duplicate", "neither is believed", faults.takes_no_duplicates),
    _fault("huge", "broken contract", faults.fails_as("huge", *_BROKEN)),
    _fault("deep", "broken contract", faults.fails_as("deep", *_BROKEN)),
    _fault("garbage", "broken contract", faults.fails_as("garbage", *_BROKEN)),
    _fault("redirect", "broken contract", faults.fails_as("redirect", *_BROKEN)),
    _fault("half-body", "down or broken", faults.fails_as("half-body", *_EITHER)),
    _fault("error-in-200", "is no answer", faults.fails_as("error-in-200", *_ANY)),
    _fault("error", "down", faults.fails_as("error", SourceUnavailable)),
    _fault("busy", "down, and until when", faults.fails_as("busy", SourceUnavailable), "silver"),
    _fault("refused", "refused", faults.fails_as("refused", SourceRefused), "silver"),
    _fault("slow", "left at the deadline", faults.keeps_the_deadline),
    Check("privacy", "bronze", "errors and logs name nobody", faults.says_nothing_personal),
)
