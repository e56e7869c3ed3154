"""Attacks 24 to 30: misuse by people who may log in."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.access.world import World
from tests.attacks.attack import CHECK, Attack, denied, refused
from tests.demo import Demo
from tests.flows.test_break_glass import (
    OPEN,
    OWN,
    REASONS,
    REVIEW,
    SEE,
    _forget,
    ask,
    change,
    opened,
    reviewer,
)
from tests.flows.test_misuse import register_of_cases
from tests.flows.test_places import ask as ask_from
from tests.flows.test_places import told
from tests.hub.proving import bound

LIVELIHOOD = "basic-livelihood.application"
NAME = "identity { name }"


@pytest.fixture
def glass(attack: Attack) -> Iterator[Attack]:
    """Nothing is opened, and nobody counted, before or after."""
    _forget(attack.demo)
    yield attack
    _forget(attack.demo)


def out_of_reach(attack: Attack, selection: str, **options: str) -> None:
    exchange = attack.about(selection, **options)
    assert exchange.answer.body["data"] == {"recipient": None}
    assert exchange.answer.codes == ["OUT_OF_REACH"]
    assert exchange.outcome["unreached"]


@pytest.mark.parametrize("purpose", [LIVELIHOOD, CHECK])
@pytest.mark.parametrize("whose", ["one's own", "the household's"])
def test_24_ones_own_and_ones_households_record_is_closed_to_an_official(
    attack: Attack, world: World, purpose: str, whose: str
) -> None:
    own = attack.demo.recipient
    me = own if whose == "one's own" else world.members(own)[-1]
    out_of_reach(attack, NAME, purpose=purpose, token=attack.demo.token("caseworker", recipient=me))
    attack.held()


def test_24_a_colleagues_and_a_strangers_record_is_closed(attack: Attack, world: World) -> None:
    case = world.colleagues_case()
    district = case.split("-")[1]
    token = attack.demo.token(
        "caseworker", sub="w-24", recipient="998899-1000007", office=f"office-{district}",
        district=district,
    )  # fmt: skip
    document = "query($x: ID!) { recipient(id: $x) { identity { name } } }"
    stranger = world.elsewhere(district)
    for person in (world.applicants[case], stranger):
        exchange = attack.ask(document, {"x": person}, token=token, case=case)
        assert exchange.answer.codes == ["OUT_OF_REACH"]
        assert exchange.answer.body["data"] == {"recipient": None}
    attack.held(people=[world.applicants[case], stranger])


def test_25_another_purpose_after_a_denial_opens_nothing_and_stands_in_the_log(
    attack: Attack,
) -> None:
    purposes = (LIVELIHOOD, "basic-pension.application", "medical-cost.application",
                "confirmation-survey", "break-glass", "subject-access", "audit",
                "policy-statistics")  # fmt: skip
    for purpose in purposes:
        exchange = attack.about("resident { registeredAbroad safeAddress }", purpose=purpose)
        assert exchange.answer.codes
        assert not (exchange.answer.body.get("data") or {}).get("recipient")
        assert exchange.outcome["purpose"] == purpose
        assert exchange.outcome["subjects"]
    attack.held()


async def test_26_a_case_opened_viewed_and_closed_at_once_opens_nothing_any_more(
    attack: Attack, world: World
) -> None:
    stranger = world.neighbour("11110")
    case, household = "2026-11110-999997", f"H{int(world._homes[world.row(stranger)]):08}"
    document = "query($x: ID!) { recipient(id: $x) { identity { name } } }"
    async with register_of_cases(attack.demo) as register:
        await register.execute(
            "INSERT INTO register.welfare_case VALUES ($1, 'livelihood', $2, $3, 'office-11110',"
            " 'official-11110-03', 'open', '2026-10-31', NULL, '2026-10-31')",
            case, household, stranger,
        )  # fmt: skip
        try:
            viewed = attack.ask(document, {"x": stranger}, case=case)
            assert (viewed.answer.codes, viewed.outcome["cases"]) == ([], [case])
            change = "UPDATE register.welfare_case SET state = 'closed' WHERE reference = $1"
            await register.execute(change, case)
            again = attack.ask(document, {"x": stranger}, case=case)
        finally:
            await register.execute("DELETE FROM register.welfare_case WHERE reference = $1", case)
    refused(again, "CASE_REFUSED")
    attack.transcript.settle()
    assert {access.source for access in again.accesses} == {"benefits"}


def test_27_a_quota_is_not_split_by_alias_token_or_operation(glass: Attack) -> None:
    demo, survey = glass.demo, "confirmation-survey"
    one = demo.token("caseworker", sub="trawler", recipient="998899-1000006")
    two = demo.token("caseworker", sub="trawler", recipient="998899-1000006", client_id="another")

    def ids(first: int, many: int) -> list[str]:
        return [f"998899-1{number:06}" for number in range(first, first + many)]

    split = "query($a: [ID!]!, $b: [ID!]!) { a: recipients(ids: $a) { id } b: recipients(ids: $b)"
    refused(
        glass.ask(f"{split} {{ id }} }}", {"a": ids(0, 51), "b": ids(51, 50)}, token=one,
                  purpose=survey, case=None),
        "PURPOSE_LIMIT",
    )  # fmt: skip
    document = "query($ids: [ID!]!) { recipients(ids: $ids) { id } }"
    for turn in range(10):
        token = (one, two)[turn % 2]
        taken = demo.ask(document, {"ids": ids(100 * turn, 100)}, purpose=survey, case=None,
                         headers={"Authorization": f"Bearer {token}"})  # fmt: skip
        assert set(taken.codes) == {"OUT_OF_REACH"}
    for token in (one, two):
        over = demo.ask(document, {"ids": ids(5_000, 1)}, purpose=survey, case=None,
                        headers={"Authorization": f"Bearer {token}"})  # fmt: skip
        assert over.codes == ["PURPOSE_LIMIT"]


def test_28_one_login_from_two_places_is_told(demo: Demo) -> None:
    before = told(demo)
    for place in ("127.0.0.3", "127.0.0.4"):
        assert ask_from(demo, "attacker-28", place).status_code == 200
    assert told(demo) - before == 1


@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
def test_28_a_token_bound_to_a_key_serves_nobody_else(attack: Attack, scheme: str) -> None:
    token = attack.demo.token("caseworker", cnf=bound())
    response = attack.send(
        json={"query": "{ __typename }"}, headers={"Authorization": f"{scheme} {token}"}
    )
    assert response.status_code == 401
    assert token not in response.text + str(response.headers)
    attack.nobody_was_asked()
    attack.held()


def test_29_a_pasted_reason_opens_nothing(glass: Attack) -> None:
    demo = glass.demo
    other = demo.personas["caseworker2"]["recipient"]
    assert opened(demo).codes == []
    for reason in (REASONS[0], f"  {REASONS[0].upper()}", REASONS[0].replace("smoke", "fumes")):
        assert ask(demo, OPEN, id=other, reason=reason).codes == ["REASON_REPEATED"]
    assert ask(demo, OPEN, id=other, reason="aaaa " * 20).codes == ["REASON_REQUIRED"]
    assert ask(demo, SEE, id=other).codes == ["BREAK_GLASS_REQUIRED"]


def test_29_an_overdue_review_suspends_and_nobody_reviews_their_own(glass: Attack) -> None:
    demo = glass.demo
    use = opened(demo).body["data"]["openBreakGlass"]["id"]
    change(demo, f"UPDATE oversight_use SET due = {time.time() - 1}")
    assert opened(demo, 1).codes == ["BREAK_GLASS_SUSPENDED"]
    assert ask(demo, SEE, id=demo.recipient).codes == ["BREAK_GLASS_SUSPENDED"]
    own = demo.token("caseworker", roles=["supervisor"], office="office-b")
    mine = {"Authorization": f"Bearer {own}"}
    assert ask(demo, REVIEW, "oversight", use=use, sent=mine).codes == ["OVERSIGHT_REFUSED"]
    assert ask(demo, OWN).body["data"]["ownUses"]["suspended"] is True
    assert ask(demo, REVIEW, "oversight", use=use, sent=reviewer(demo)).codes == []
    assert ask(demo, OWN).body["data"]["ownUses"]["suspended"] is False


HIDING = {
    "address": "identity { name address }",
    "household": "identity { name } household { id members { id } }",
    "school and employer": "identity { name } employment { jobs { employer start } }",
    "office": "identity { name } benefits { receipts { office amount } }",
    "land": "identity { name } property { land { parcel } }",
    "earlier addresses": "identity { name } resident { addressHistory { address } }",
    "days of moving": "resident { addressHistory { from until } }",
    "a reference, which names the district of an office": "applications { reference }",
}


@pytest.mark.parametrize("by", HIDING)
def test_30_a_hidden_address_is_not_worked_out(attack: Attack, world: World, by: str) -> None:
    hidden = world.protected_receiver()
    district = world.district(hidden)
    token = attack.demo.token(
        "caseworker", sub="w-30", recipient="998899-1000005", office=f"office-{district}",
        district=district,
    )  # fmt: skip
    exchange = attack.ask(
        f"query($x: ID!) {{ recipient(id: $x) {{ {HIDING[by]} }} }}",
        {"x": hidden}, token=token, purpose="confirmation-survey", case=None,
    )  # fmt: skip
    assert set(exchange.answer.codes) == {"SOURCE_UNAVAILABLE"}
    assert exchange.outcome["concealed"]
    attack.transcript.settle()
    attack.oracle.judge(exchange)


def test_30_who_is_protected_is_told_to_nobody_who_asks_as_an_official(attack: Attack) -> None:
    exchange = attack.about("resident { safeAddress } household { members { resident"
                            " { safeAddress } } }", purpose=LIVELIHOOD)  # fmt: skip
    refused(exchange, "PURPOSE_DENIED")
    assert denied(exchange) == {"resident.safeAddress"}
    attack.nobody_was_asked()
    attack.held()
