"""Attack 38: what two statistics tell of one person; what a thousand do is in tests/population."""

from __future__ import annotations

from typing import Any

import pytest

from tests.access.transcript import Exchange
from tests.attacks.attack import Attack


def ask(attack: Attack, where: str, tables: str = "") -> Exchange:
    return attack.ask(
        f"{{ population(where: {where}) {{ count {tables} }} }}",
        person="policy",
        purpose="policy-statistics",
        case=None,
    )


def count(exchange: Exchange) -> Any:
    return exchange.answer.body["data"]["population"]["count"]


def test_38_small_cells_are_left_out_and_look_like_cells_of_nobody(attack: Attack) -> None:
    table = "by(dimensions: [resident_district, resident_birthDate]) { rows { count } }"
    found = ask(attack, "{}", table)
    rows = found.answer.body["data"]["population"]["by"]["rows"]
    assert all(row["count"] >= 10 for row in rows)
    few = '{resident_district: {eq: "11110"}, resident_birthDate: {ge: 85}}'
    nobody = '{resident_district: {eq: "nowhere"}}'
    answers = [ask(attack, where).answer for where in (few, nobody)]
    assert answers[0].body == answers[1].body == {"data": {"population": {"count": None}}}
    attack.held(judged=False)


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ('{resident_district: {eq: "829020-1705151"}}', "UNSAFE_FILTER"),
        ("{tax_earnedIncome: {ge: 15017300}}", "UNSAFE_FILTER"),
        ("{resident_birthDate: {between: {from: 44, until: 45}}}", "UNSAFE_FILTER"),
        ('{resident_name: {eq: "x"}}', "GRAPHQL_VALIDATION_FAILED"),
        ('{resident_householdId: {eq: "H00000001"}}', "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_38_no_filter_pins_a_person(attack: Attack, where: str, code: str) -> None:
    found = ask(attack, where)
    assert found.answer.codes == [code]
    attack.nobody_was_asked()


def test_38_a_repeat_in_other_words_is_the_same_count(attack: Attack) -> None:
    old = "{resident_birthDate: {ge: 65}}"
    same = (
        old,
        "{not: {not: {resident_birthDate: {ge: 65}}}}",
        "{or: [{resident_birthDate: {between: {from: 65, until: 80}}}, {resident_birthDate:"
        " {ge: 80}}]}",
    )
    assert len({count(ask(attack, where)) for where in same}) == 1


def test_38_two_questions_that_differ_by_few_people_or_by_none_are_not_both_answered(
    attack: Attack,
) -> None:
    base = "{labour_insured: {eq: true}}"
    assert count(ask(attack, base))
    few = '{resident_district: {eq: "11110"}, resident_birthDate: {ge: 85}}'
    for without in (few, '{resident_district: {eq: "nowhere"}}'):
        found = ask(attack, f"{{and: [{base}, {{not: {without}}}]}}")
        assert found.answer.codes == ["QUESTION_TOO_NEAR"]
        assert not any(digit in str(found.answer.body) for digit in "0123456789")
        assert found.outcome["outcome"] == "refused"


def test_38_nothing_about_a_person_is_asked_for_the_purpose(attack: Attack) -> None:
    found = attack.about("identity { name }", person="policy", purpose="policy-statistics")
    assert found.answer.codes[0] == "PURPOSE_DENIED"
    attack.held()


def test_38_nobody_else_asks_and_no_figure_stands_in_the_log(attack: Attack) -> None:
    found = attack.ask("{ population { count } }", purpose="policy-statistics", case=None)
    assert found.answer.codes == ["PURPOSE_DENIED"]
    found = ask(attack, '{resident_sex: {eq: "female"}}')
    released = count(found)
    assert released
    for record in found.records:
        assert record["subjects"] == []
        assert "count" not in record.get("population", {})
