"""Decisions and judgements as data: caller, purpose and facts, and the reason they lead to."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.caller import Caller
from authz.decide import Asked, Verdict, decide
from authz.judge import (
    CaseFacts,
    Paid,
    Receipts,
    RecipientFacts,
    judge_case,
    judge_receipts,
    judge_recipient,
)
from authz.purpose import Decision, LegalBasis, Purpose, Validity
from authz.register import read_register
from authz.transform import Transform
from sources.declaration import Catalogue
from sources.reading import read_catalogue

ITEMS = ("tax.exists", "tax.pay", "tax.case.exists", "tax.case.state")
ALLOWED = {item: Decision(item, True, "`pension` allows it", "") for item in ITEMS}
DENIED_EXISTS = Decision("tax.exists", False, "`pension` does not name it", "leave it out")
DENIED_PAY = Decision("tax.pay", False, "`pension` prohibits item `tax.pay`", "leave it out")

CASEWORKER = Caller(
    person="official-1",
    recipient="me",
    roles=frozenset({"caseworker"}),
    office="office-1",
    district="11110",
    issuer="https://id.example",
)
CITIZEN = replace(CASEWORKER, roles=frozenset({"recipient"}), office=None, district=None)

PENSION = Purpose(
    code="pension",
    title="Decide",
    parent=None,
    legal_basis=LegalBasis(act="Basic Pension Act", article="Article 11", mark="K"),
    roles=frozenset({"caseworker", "supervisor"}),
    relation="case",
    programmes=frozenset({"basic-pension"}),
    jurisdiction="district",
    decisions=ALLOWED,
    exists={item: "tax.case.exists" if ".case." in item else "tax.exists" for item in ITEMS},
)
SURVEY = replace(PENSION, code="survey", relation="receipt")
OWN = replace(
    PENSION,
    code="own",
    relation="self",
    roles=frozenset({"recipient"}),
    programmes=frozenset(),
    jurisdiction="none",
)
STATISTICS = replace(PENSION, code="statistics", relation="none")
NOBODYS = replace(PENSION, code="parent", roles=frozenset())

TODAY = datetime.date(2026, 11, 1)
ASKED = Asked(own=("tax.exists", "tax.pay"), others=(), case=())
WITH_MEMBERS = replace(ASKED, others=("tax.exists", "tax.pay"))
WITH_CASE = replace(ASKED, case=("tax.case.exists", "tax.case.state"))

NO_RESIDENT = (
    "the token does not say who the caller is as a resident",
    "have the identity provider send the claim, so that own records are refused",
)
NO_OFFICE = (
    "the token does not say the caller's office and district",
    "have the identity provider send both claims",
)
OTHER_ROLE = "ask under a purpose of your own role"

REFUSED: list[tuple[str, Caller, Purpose, tuple[str, str]]] = [
    (
        "another role",
        replace(CASEWORKER, roles=frozenset({"auditor"})),
        PENSION,
        ("`pension` is for caseworker, supervisor", OTHER_ROLE),
    ),
    (
        "no role",
        replace(CASEWORKER, roles=frozenset()),
        PENSION,
        ("`pension` is for caseworker, supervisor", OTHER_ROLE),
    ),
    ("a purpose of no role", CASEWORKER, NOBODYS, ("`parent` is for nobody", OTHER_ROLE)),
    (
        "a purpose that reaches no person",
        CASEWORKER,
        STATISTICS,
        ("`statistics` reaches no person", "ask under a purpose that does"),
    ),
    ("no resident", replace(CASEWORKER, recipient=None), PENSION, NO_RESIDENT),
    ("no resident, own record", replace(CITIZEN, recipient=None), OWN, NO_RESIDENT),
    ("no office", replace(CASEWORKER, office=None), PENSION, NO_OFFICE),
    (
        "no office where the district does not matter",
        replace(CASEWORKER, office=None),
        replace(PENSION, jurisdiction="none"),
        NO_OFFICE,
    ),
    ("no district", replace(CASEWORKER, district=None), SURVEY, NO_OFFICE),
]


@pytest.mark.parametrize(
    ("caller", "purpose", "reason"),
    [entry[1:] for entry in REFUSED],
    ids=[entry[0] for entry in REFUSED],
)
def test_who_may_not_use_the_purpose_is_denied_every_item_with_the_reason(
    caller: Caller, purpose: Purpose, reason: tuple[str, str]
) -> None:
    assert decide(caller, purpose, WITH_CASE, TODAY) == Verdict(
        frozenset(), tuple(Decision(item, False, *reason) for item in ITEMS)
    )


GRANTED: list[tuple[str, Caller, Purpose, Asked]] = [
    ("a caseworker", CASEWORKER, PENSION, ASKED),
    ("household members", CASEWORKER, PENSION, WITH_MEMBERS),
    ("the case itself", CASEWORKER, PENSION, WITH_CASE),
    (
        "one role of several",
        replace(CASEWORKER, roles=frozenset({"x", "supervisor"})),
        PENSION,
        ASKED,
    ),
    ("a survey", CASEWORKER, SURVEY, WITH_MEMBERS),
    ("one's own record", CITIZEN, OWN, ASKED),
    (
        "no district where it does not matter",
        replace(CASEWORKER, district=None),
        replace(PENSION, jurisdiction="none"),
        ASKED,
    ),
    ("nothing", CASEWORKER, PENSION, Asked((), (), ())),
]


@pytest.mark.parametrize(
    ("caller", "purpose", "asked"),
    [entry[1:] for entry in GRANTED],
    ids=[entry[0] for entry in GRANTED],
)
def test_who_may_use_the_purpose_is_granted_what_it_allows(
    caller: Caller, purpose: Purpose, asked: Asked
) -> None:
    assert decide(caller, purpose, asked, TODAY) == Verdict(frozenset(asked.items), ())


def test_an_item_the_purpose_denies_is_denied_and_the_rest_granted() -> None:
    purpose = replace(PENSION, decisions={**ALLOWED, "tax.pay": DENIED_PAY})
    verdict = decide(CASEWORKER, purpose, ASKED, TODAY)
    assert verdict == Verdict(frozenset({"tax.exists"}), (DENIED_PAY,))


def test_no_item_is_granted_where_its_record_may_not_be_known_of() -> None:
    purpose = replace(PENSION, decisions={**ALLOWED, "tax.exists": DENIED_EXISTS})
    follows = Decision("tax.pay", False, "`tax.exists` is denied", "leave `tax.pay` out")
    assert decide(CASEWORKER, purpose, WITH_CASE, TODAY) == Verdict(
        frozenset({"tax.case.exists", "tax.case.state"}), (DENIED_EXISTS, follows)
    )


def test_an_item_the_purpose_does_not_know_is_never_granted() -> None:
    with pytest.raises(KeyError):
        decide(CASEWORKER, PENSION, Asked(("tax.unheard",), (), ()), TODAY)


@pytest.mark.parametrize(
    ("asked", "items"),
    [
        (WITH_MEMBERS, ("tax.exists", "tax.pay")),
        (WITH_CASE, ("tax.case.exists", "tax.case.state")),
    ],
)
def test_ones_own_record_gives_nothing_of_members_or_cases(
    asked: Asked, items: tuple[str, ...]
) -> None:
    verdict = decide(CITIZEN, OWN, asked, TODAY)
    rule, remedy = (
        "`own` reads one's own record and nothing else",
        "leave cases and the members of the household out",
    )
    assert verdict.denied == tuple(Decision(item, False, rule, remedy) for item in items)
    assert verdict.granted == frozenset(asked.items) - set(items)


def test_a_survey_reads_no_case() -> None:
    verdict = decide(CASEWORKER, SURVEY, WITH_CASE, TODAY)
    assert verdict == Verdict(
        frozenset({"tax.exists", "tax.pay"}),
        tuple(
            Decision(item, False, "`survey` rests on no case", "leave `case` out")
            for item in ("tax.case.exists", "tax.case.state")
        ),
    )


@pytest.mark.parametrize(
    ("caller", "purpose", "asked"), [(CITIZEN, OWN, WITH_MEMBERS), (CASEWORKER, SURVEY, WITH_CASE)]
)
def test_an_item_is_denied_for_one_reason_only(
    caller: Caller, purpose: Purpose, asked: Asked
) -> None:
    decisions = {item: replace(DENIED_PAY, item=item) for item in ITEMS}
    verdict = decide(caller, replace(purpose, decisions=decisions), asked, TODAY)
    assert verdict == Verdict(frozenset(), tuple(decisions[item] for item in asked.items))


# Cases

CASE = CaseFacts(
    reference="C-1",
    programme="basic-pension",
    household="H-1",
    applicant="hana",
    office="office-1",
    state="open",
)
NO_CASE = "there is no such case at the caller's office"
NOT_COVERED = "the case is of a programme that `pension` does not cover"

CASES: list[tuple[Caller, CaseFacts | None, str | None]] = [
    (CASEWORKER, CASE, None),
    (CASEWORKER, None, NO_CASE),
    (CASEWORKER, replace(CASE, office="office-2"), NO_CASE),
    (CASEWORKER, replace(CASE, office=None), NO_CASE),
    (CASEWORKER, replace(CASE, office="office-2", state="closed"), NO_CASE),
    (CASEWORKER, replace(CASE, office="office-2", programme="housing"), NO_CASE),
    (replace(CASEWORKER, office=None), CASE, NO_CASE),
    (replace(CASEWORKER, office=None), replace(CASE, office=None), NO_CASE),
    (CASEWORKER, replace(CASE, state="closed"), "the case is not open"),
    (CASEWORKER, replace(CASE, state="OPEN"), "the case is not open"),
    (CASEWORKER, replace(CASE, state=None), "the case is not open"),
    (CASEWORKER, replace(CASE, programme="housing"), NOT_COVERED),
    (CASEWORKER, replace(CASE, programme=None), NOT_COVERED),
    (CASEWORKER, replace(CASE, household=None), "the case names no household"),
    (CASEWORKER, replace(CASE, applicant=None), "the case names no household"),
]


@pytest.mark.parametrize(("caller", "facts", "reason"), CASES)
def test_a_case_is_judged(caller: Caller, facts: CaseFacts | None, reason: str | None) -> None:
    assert judge_case(caller, PENSION, facts) == reason


# Recipients

FACTS = RecipientFacts(
    household="H-1",
    district="11110",
    members=("hana", "duri"),
)
OUTSIDE = "outside the caller's district"
OWN_HOUSEHOLD = "the caller's own household"
NO_CASE_CONCERNS = "no case concerns the household"
NO_HOUSEHOLD = "no household is known"

RECIPIENTS: list[tuple[str, dict[str, Any], str | None]] = [
    ("a case of the household", {}, None),
    ("one of several cases", {"cases": [replace(CASE, household="H-2"), CASE]}, None),
    ("unknown", {"facts": None}, "no such recipient"),
    ("no household", {"facts": replace(FACTS, household=None)}, NO_HOUSEHOLD),
    (
        "no household, and a case of none",
        {"facts": replace(FACTS, household=None), "cases": [replace(CASE, household=None)]},
        NO_HOUSEHOLD,
    ),
    ("no members known", {"facts": replace(FACTS, members=None)}, NO_HOUSEHOLD),
    ("oneself", {"recipient": "me"}, OWN_HOUSEHOLD),
    ("one's own household", {"facts": replace(FACTS, members=("hana", "me"))}, OWN_HOUSEHOLD),
    (
        "nobody knows who the caller is",
        {"caller": replace(CASEWORKER, recipient=None)},
        OWN_HOUSEHOLD,
    ),
    (
        "one's own household, elsewhere",
        {
            "facts": replace(FACTS, members=("me",), district="26110"),
        },
        OWN_HOUSEHOLD,
    ),
    ("another district", {"facts": replace(FACTS, district="26110")}, OUTSIDE),
    ("no district known", {"facts": replace(FACTS, district=None)}, OUTSIDE),
    (
        "no district known of either",
        {"facts": replace(FACTS, district=None), "caller": replace(CASEWORKER, district=None)},
        OUTSIDE,
    ),
    (
        "another district, with a case",
        {
            "facts": replace(FACTS, district="26110"),
            "cases": [CASE],
        },
        OUTSIDE,
    ),
    (
        "another district where it does not matter",
        {
            "facts": replace(FACTS, district="26110"),
            "purpose": replace(PENSION, jurisdiction="none"),
        },
        None,
    ),
    ("no case", {"cases": []}, NO_CASE_CONCERNS),
    (
        "a case of another household",
        {"cases": [replace(CASE, household="H-2")]},
        NO_CASE_CONCERNS,
    ),
    ("a case of no household", {"cases": [replace(CASE, household=None)]}, NO_CASE_CONCERNS),
    ("own record", {"caller": CITIZEN, "purpose": OWN, "recipient": "me", "facts": None}, None),
    (
        "own record of another",
        {"caller": CITIZEN, "purpose": OWN, "recipient": "hana"},
        "not the caller's own record",
    ),
    (
        "own record of a household member",
        {
            "caller": CITIZEN,
            "purpose": OWN,
            "recipient": "hana",
            "facts": replace(FACTS, members=("me", "hana")),
        },
        "not the caller's own record",
    ),
    (
        "own record of nobody",
        {"caller": replace(CITIZEN, recipient=None), "purpose": OWN},
        "not the caller's own record",
    ),
    ("no relation", {"purpose": STATISTICS}, "the purpose reaches no person"),
    ("under survey, without a case", {"purpose": SURVEY, "cases": []}, None),
    (
        "under survey, in another district",
        {"purpose": SURVEY, "facts": replace(FACTS, district="26110")},
        OUTSIDE,
    ),
]


@pytest.mark.parametrize(
    ("given", "reason"),
    [entry[1:] for entry in RECIPIENTS],
    ids=[entry[0] for entry in RECIPIENTS],
)
def test_a_recipient_is_judged(given: dict[str, Any], reason: str | None) -> None:
    usual = {
        "caller": CASEWORKER,
        "purpose": PENSION,
        "recipient": "hana",
        "facts": FACTS,
        "cases": [CASE],
    }
    assert judge_recipient(**{**usual, **given}) == reason


# Receipts

RECEIPT = Paid("basic-pension", "office-1", "2026-10", "paid")
NOTHING = "receives nothing under survey"


def paid(*receipts: Paid, month: str | None = "2026-10") -> Receipts:
    return Receipts(receipts, month)


RECEIPTS: list[tuple[str, Receipts, str | None]] = [
    ("of the office", paid(RECEIPT), None),
    ("one of several", paid(replace(RECEIPT, programme="housing"), RECEIPT), None),
    ("of a later month", paid(replace(RECEIPT, month="2026-11")), None),
    ("none", paid(), NOTHING),
    ("of another office", paid(replace(RECEIPT, office="office-2")), NOTHING),
    ("of no office", paid(replace(RECEIPT, office=None)), NOTHING),
    ("of another programme", paid(replace(RECEIPT, programme="housing")), NOTHING),
    ("of no programme", paid(replace(RECEIPT, programme=None)), NOTHING),
    ("held", paid(replace(RECEIPT, state="held")), NOTHING),
    ("of no state", paid(replace(RECEIPT, state=None)), NOTHING),
    ("of an earlier month", paid(replace(RECEIPT, month="2026-09")), NOTHING),
    ("of an earlier year", paid(replace(RECEIPT, month="2025-12")), NOTHING),
    ("of no month", paid(replace(RECEIPT, month=None)), NOTHING),
    ("in a month that nobody knows", paid(RECEIPT, month=None), NOTHING),
    (
        "made of two halves",
        paid(replace(RECEIPT, office="office-2"), replace(RECEIPT, programme="housing")),
        NOTHING,
    ),
]


@pytest.mark.parametrize(
    ("receipts", "reason"), [entry[1:] for entry in RECEIPTS], ids=[entry[0] for entry in RECEIPTS]
)
def test_receipts_are_judged(receipts: Receipts, reason: str | None) -> None:
    assert judge_receipts(CASEWORKER, SURVEY, receipts) == reason


def test_a_caller_of_no_office_surveys_no_receipt_of_no_office() -> None:
    caller, receipts = replace(CASEWORKER, office=None), paid(replace(RECEIPT, office=None))
    assert judge_receipts(caller, SURVEY, receipts) == NOTHING


# Properties

NAMES = ("root", "middle", "leaf")
SELECTIONS = st.fixed_dictionaries(
    {
        "items": st.lists(st.sampled_from(["tax.pay", "tax.name", "tax.exists"]), unique=True),
        "categories": st.lists(st.sampled_from(["income", "identity", "existence"]), unique=True),
        "sources": st.lists(st.sampled_from(["tax"]), unique=True),
    }
)
CATALOGUE = """\
[source]
agency = "Tax"
description = "Income"
adapter = "rest"
[item.pay]
description = "Pay"
type = "Won"
category = "income"
[item.name]
description = "Name"
type = "String"
category = "identity"
"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "tax.toml").write_text(CATALOGUE)
    return read_catalogue(folder, ["tax"], "tax", "tax")[0]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a register of three purposes, one below the other."""
    return tmp_path_factory.mktemp("line")


def compiled(
    folder: Path, catalogue: Catalogue, tables: dict[str, dict[str, dict[str, list[str]]]]
) -> Purpose:
    """The leaf of a line of purposes with these selections."""
    parent = ""
    for name in NAMES:
        text = 'title = "T"\nlegal_basis = { act = "A", article = "B", mark = "K" }\n'
        text += 'roles = ["caseworker"]\nrelation = "case"\nprogrammes = ["p"]\n' + parent
        for kind, selection in tables[name].items():
            text += f"[{kind}]\n" + "".join(
                f"{key} = {value}\n" for key, value in selection.items()
            )
        (folder / f"{name}.toml").write_text(text)
        parent = f'parent = "{name}"\n'
    return read_register(folder, catalogue)[0].purposes["leaf"]


LINES = st.fixed_dictionaries(
    {name: st.fixed_dictionaries({"allow": SELECTIONS, "prohibit": SELECTIONS}) for name in NAMES}
)
EVERY = Asked(("tax.exists", "tax.pay", "tax.name"), (), ())


@given(LINES, st.sampled_from(NAMES), st.sampled_from(["tax.pay", "tax.name", "tax.exists"]))
def test_a_further_prohibition_never_grants_more(
    line: Path,
    catalogue: Catalogue,
    tables: dict[str, dict[str, dict[str, list[str]]]],
    where: str,
    item: str,
) -> None:
    before = decide(CASEWORKER, compiled(line, catalogue, tables), EVERY, TODAY).granted
    tables[where]["prohibit"]["items"].append(item)
    after = decide(CASEWORKER, compiled(line, catalogue, tables), EVERY, TODAY).granted
    gone = set(EVERY.items) if item == "tax.exists" else {item}
    assert after == before - gone


callers = st.builds(
    Caller,
    person=st.just("p"),
    recipient=st.sampled_from([None, "me", "hana"]),
    roles=st.frozensets(st.sampled_from(["caseworker", "recipient", "auditor"])),
    office=st.sampled_from([None, "office-1"]),
    district=st.sampled_from([None, "11110"]),
    issuer=st.just("i"),
)
purposes = st.sampled_from([PENSION, SURVEY, OWN, STATISTICS, NOBODYS])
asks = st.sampled_from([ASKED, WITH_MEMBERS, WITH_CASE])


@given(callers, purposes, asks)
def test_a_caller_without_roles_is_granted_nothing(
    caller: Caller, purpose: Purpose, asked: Asked
) -> None:
    assert decide(replace(caller, roles=frozenset()), purpose, asked, TODAY).granted == frozenset()


@given(callers, purposes, asks)
def test_every_item_asked_is_either_granted_or_denied_with_a_reason(
    caller: Caller, purpose: Purpose, asked: Asked
) -> None:
    verdict = decide(caller, purpose, asked, TODAY)
    denied = [decision.item for decision in verdict.denied]
    assert sorted([*verdict.granted, *denied]) == sorted(asked.items)
    assert all(found.rule and found.remedy and not found.allowed for found in verdict.denied)


@given(caller=callers, purpose=purposes, itself=st.booleans())
def test_no_purpose_but_the_own_record_reaches_the_callers_own_household(
    caller: Caller, purpose: Purpose, *, itself: bool
) -> None:
    recipient = caller.recipient if itself and caller.recipient else "duri"
    facts = replace(FACTS, members=("duri", caller.recipient or "me"))
    reason = judge_recipient(caller, purpose, recipient, facts, [CASE])
    assert (reason is None) == (purpose is OWN and recipient == caller.recipient)


@pytest.mark.parametrize(
    ("valid", "rule"),
    [
        (Validity(since=TODAY, until=TODAY), None),
        (Validity(since=datetime.date(2026, 11, 2)), "`pension` is valid from 2026-11-02"),
        (Validity(until=datetime.date(2026, 10, 31)), "`pension` was valid until 2026-10-31"),
    ],
)
def test_a_purpose_is_good_on_the_days_it_is_valid_and_on_no_other(
    valid: Validity, rule: str | None
) -> None:
    verdict = decide(CASEWORKER, replace(PENSION, valid=valid), ASKED, TODAY)
    assert {decision.rule for decision in verdict.denied} == ({rule} if rule else set())
    assert bool(verdict.granted) is (rule is None)


def test_a_grant_carries_how_its_items_are_reduced() -> None:
    reduced = replace(PENSION.decisions["tax.pay"], transform=Transform(band=(0, 10)))
    purpose = replace(PENSION, decisions={**PENSION.decisions, "tax.pay": reduced})
    verdict = decide(CASEWORKER, purpose, ASKED, TODAY)
    assert verdict.transforms == {"tax.pay": Transform(band=(0, 10))}


ASSIGNED = replace(PENSION, code="assigned", relation="assigned")
GLASS = replace(PENSION, code="glass", relation="break-glass", jurisdiction="none")


def test_a_case_is_assigned_to_the_official_it_names_and_to_no_other() -> None:
    facts = CaseFacts("C1", "basic-pension", "H1", "someone", "office-1", "open", "official-1")
    assert judge_case(CASEWORKER, ASSIGNED, facts) is None
    rule = "the case is in the charge of another official"
    for official in ("official-2", None):
        assert judge_case(CASEWORKER, ASSIGNED, replace(facts, official=official)) == rule
    assert judge_case(CASEWORKER, PENSION, replace(facts, official="official-2")) is None


def test_a_break_glass_reaches_whom_it_was_opened_for_but_never_ones_own_household() -> None:
    facts = RecipientFacts("H1", "26350", ("someone",))
    assert judge_recipient(CASEWORKER, GLASS, "someone", facts, (), {"someone"}) is None
    rule = "no break-glass is open"
    assert judge_recipient(CASEWORKER, GLASS, "someone", facts, (), {"else"}) == rule
    own = replace(facts, members=("someone", "me"))
    found = judge_recipient(CASEWORKER, GLASS, "someone", own, (), {"someone"})
    assert found == "the caller's own household"
    assert judge_recipient(CASEWORKER, GLASS, "x", None, (), {"x"}) == "no such recipient"


def test_a_break_glass_opens_neither_members_nor_cases() -> None:
    for asked in (replace(WITH_MEMBERS, leads=("tax.pay",)), WITH_CASE):
        denied = decide(CASEWORKER, GLASS, asked, TODAY).denied
        assert {decision.rule for decision in denied} == {
            "`glass` reaches the recipient named and nothing else"
        }
