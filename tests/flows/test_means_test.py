"""The means test and the entitlements of a household, asked over HTTP of the running demo."""

from __future__ import annotations

from tests.demo import Demo

NONE = (
    "financial: 0, debt: 0, benefitIncome: 0, transferIncome: 0, otherAssets: 0, disabled: false,"
    " vehiclesAsGeneral: 0"
)
TEST = """query($id: ID!) { recipient(id: $id) { meansTest(programme: "%s"%s) {
  programme { key nameKo } result decided byBounds hypothetical adjusted assessed
  missing { fact member why settledBy } assumed { fact } notModelled
  amounts { recognisedIncome { least most exact } threshold { exact } margin { exact }
    income { name amount { exact } } assets { name asset amount { least } }
    payable { amount { exact least most } per } }
  trace { name member formula value inputs { name value missing hypothetical
    provenance { source items asOf } } parameters { name value mark source }
    roundings { how before after } source mark }
  notice { ko en }
} } }"""


def asked(demo: Demo, programme: str, arguments: str = "") -> dict[str, object]:
    """The test of a programme for the sample's recipient."""
    answer = demo.ask(TEST % (programme, arguments), {"id": demo.recipient})
    assert "errors" not in answer.body, answer.body
    found: dict[str, object] = answer.body["data"]["recipient"]["meansTest"]
    return found


def test_what_no_source_tells_leaves_it_open_within_bounds(demo: Demo) -> None:
    found = asked(demo, "housing")
    assert (found["result"], found["decided"]) == ("INDETERMINATE", False)
    missing = {(entry["fact"], entry["why"]) for entry in found["missing"]}
    assert ("financial", "no source") in missing
    assert "earnedIncome" not in {fact for fact, _ in missing}
    recognised = found["amounts"]["recognisedIncome"]
    assert recognised["least"] > 0
    assert (recognised["most"], recognised["exact"]) == (None, None)
    assert found["amounts"]["threshold"]["exact"] == 3_117_474
    assert "아직 판단할 수 없습니다" in found["notice"]["ko"]


def test_with_what_is_missing_put_in_it_is_decided_and_hypothetical(demo: Demo) -> None:
    found = asked(demo, "livelihood", f", adjust: {{ {NONE}, vehicles: 0, home: 0, deposit: 0 }}")
    assert (found["hypothetical"], found["missing"]) == (True, [])
    amounts = found["amounts"]
    recognised, threshold = amounts["recognisedIncome"]["exact"], amounts["threshold"]["exact"]
    assert threshold - recognised == amounts["margin"]["exact"]
    assert found["result"] == ("ELIGIBLE" if recognised <= threshold else "NOT_ELIGIBLE")
    if found["result"] == "ELIGIBLE":
        assert amounts["payable"]["amount"]["exact"] == threshold - recognised
    assert "It decides nothing." in found["notice"]["en"]
    *_, outcome = demo.last_operation()
    assert "meansTest.result (hypothetical)" in outcome["derived"]


def test_more_income_turns_the_result(demo: Demo) -> None:
    rich = asked(demo, "housing", ", adjust: { earnedIncome: 900000000 }")
    assert (rich["result"], rich["byBounds"], rich["missing"]) == ("NOT_ELIGIBLE", True, [])
    assert rich["adjusted"] == ["earnedIncome"]


def test_the_trace_tells_of_every_figure_where_it_stands_and_of_every_fact_where_it_is_from(
    demo: Demo,
) -> None:
    trace = asked(demo, "livelihood")["trace"]
    assert [line["name"] for line in trace][-1] == "livelihood_payable"
    for line in trace:
        assert line["source"]
        assert line["mark"] in ("S", "K")
        for figure in line["parameters"]:
            assert figure["source"]
            assert figure["mark"] in ("S", "K")
    earned = next(line for line in trace if line["name"] == "earned_month" and line["member"] == 1)
    [fact] = earned["inputs"]
    assert fact["provenance"][0]["items"] == ["tax.earnedIncome"]
    assert fact["provenance"][0]["asOf"]
    assert earned["roundings"][0]["how"] == "half up"


def test_every_source_is_asked_once_a_round_for_the_whole_household(demo: Demo) -> None:
    answer = demo.ask(TEST % ("housing", ""), {"id": demo.recipient})
    calls = [
        (call["source"], call["round"])
        for call in answer.body["extensions"]["sources"]
        if call["round"].startswith("data")
    ]
    assert len(calls) == len(set(calls))
    query = "query($id: ID!) { recipient(id: $id) { entitlements { id } } }"
    answer = demo.ask(query, {"id": demo.recipient})
    calls = [
        call["source"]
        for call in answer.body["extensions"]["sources"]
        if call["round"].startswith("data")
    ]
    assert len(calls) <= 2 * len(set(calls))


def test_every_programme_is_told_of_with_what_is_received(demo: Demo) -> None:
    query = """query($id: ID!) { recipient(id: $id) { entitlements {
      id programme { key } likelihood ruled meansMet why { name met } missing { fact } received
      worth { least most } } } }"""
    answer = demo.ask(query, {"id": demo.recipient})
    assert "errors" not in answer.body
    found = answer.body["data"]["recipient"]["entitlements"]
    assert len(found) == 231
    order = ["LIKELY", "UNDETERMINED", "UNLIKELY"]
    places = [order.index(one["likelihood"]) for one in found]
    assert places == sorted(places)
    by_key = {one["programme"]["key"]: one for one in found}
    assert by_key["livelihood"]["ruled"]
    assert by_key["livelihood"]["received"] in (True, False)


def test_a_purpose_may_know_the_result_and_no_amount(demo: Demo) -> None:
    query = """query($id: ID!) { recipient(id: $id) {
      meansTest(programme: "housing") { result %s } } }"""
    own = {"person": "recipient", "purpose": "subject-access", "case": None}
    me = {"id": demo.recipient}
    answer = demo.ask(query % "notice { ko }", me, **own)
    assert "errors" not in answer.body, answer.body
    assert answer.body["data"]["recipient"]["meansTest"]["notice"]["ko"].startswith("주거급여")
    denied = demo.ask(query % "amounts { recognisedIncome { least } }", me, **own)
    assert denied.status == 403
    assert set(denied.codes) == {"PURPOSE_DENIED"}


def test_days_and_values_are_not_tried_where_amounts_may_not_be_seen(demo: Demo) -> None:
    query = """query($id: ID!) { recipient(id: $id) {
      meansTest(programme: "basic-pension", %s) { result } } }"""
    for arguments in ('asOf: "2030-01-01"', "adjust: { earnedIncome: 1 }"):
        answer = demo.ask(
            query % arguments,
            {"id": demo.recipient},
            person="recipient",
            purpose="subject-access",
            case=None,
        )
        assert answer.codes == ["PURPOSE_DENIED"]
        assert answer.body["data"]["recipient"]["meansTest"] is None


def test_a_programme_that_the_purpose_is_not_for_is_not_tested(demo: Demo) -> None:
    query = """query($id: ID!, $programme: ID!) { recipient(id: $id) {
      meansTest(programme: $programme) { result } } }"""
    answer = demo.ask(query, {"id": demo.recipient, "programme": "basic-pension"})
    [error] = answer.body["errors"]
    assert error["message"] == "`basic-livelihood.application` is not for this programme"
    answer = demo.ask(query, {"id": demo.recipient, "programme": "no-such"})
    assert answer.codes == ["NO_SUCH_PROGRAMME"]


def test_the_log_names_the_answers_and_none_of_the_items_behind_them(demo: Demo) -> None:
    query = """query($id: ID!) { recipient(id: $id) {
      meansTest(programme: "housing") { result notice { en } } } }"""
    assert "errors" not in demo.ask(query, {"id": demo.recipient}).body
    intent, *_, outcome = demo.last_operation()
    assert set(outcome["derived"]) == {"meansTest.result", "meansTest.notice"}
    assert "tax" not in outcome["disclosed"]
    assert "tax.earnedIncome" in intent["derivable"]["meansTest.result"]
    assert "tax.earnedIncome" not in intent["granted"]


def test_a_test_asks_for_what_its_programme_rests_on_and_for_nothing_else(demo: Demo) -> None:
    query = """query($id: ID!, $programme: ID!) { recipient(id: $id) {
      meansTest(programme: $programme) { result } } }"""
    variables = {"id": demo.recipient, "programme": "child-allowance"}
    answer = demo.ask(query, variables, person="recipient", purpose="subject-access", case=None)
    assert answer.body["data"]["recipient"]["meansTest"]["result"] in ("ELIGIBLE", "NOT_ELIGIBLE")
    assert {call["source"] for call in answer.body["extensions"]["sources"]} == {"resident"}
    intent, *_ = demo.last_operation()
    assert set(intent["derivable"]["meansTest.result"]) == {
        "resident.exists",
        "resident.birthDate",
        "resident.members.id",
    }
