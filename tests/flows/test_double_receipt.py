"""Double receipt and the progress of applications, asked over HTTP of the running demo."""

from __future__ import annotations

from tests.demo import Demo

CHECK = """query($id: ID!) { recipient(id: $id) {
  duplicateReceipts { result checks { kind result missing { settledBy item } } }
  nearPoor: wouldDuplicate(programme: "near-poor") { result }
  housing: wouldDuplicate(programme: "WLF00003201") {
    programme result conflicts { kind receipt { offices basis { article mark } } } }
  applications { programme progress { stage workingDays due dueIfExtended nextToAct } }
} }"""


def test_a_duplicate_check_tells_what_is_found_and_what_nobody_asked_could_tell(demo: Demo) -> None:
    answer = demo.ask(CHECK, {"id": demo.recipient}, purpose="duplicate-check")
    assert "errors" not in answer.body
    found = answer.body["data"]["recipient"]
    results = {check["kind"]: check["result"] for check in found["duplicateReceipts"]["checks"]}
    assert results["SAME_PROGRAMME"] == results["EXCLUSIVE"] == results["AFTER_DEATH"]
    assert results["AFTER_DEATH"] == "NOT_FOUND"
    assert results["ABROAD"] == results["IN_CUSTODY"] == "NOT_KNOWN"
    assert found["duplicateReceipts"]["result"] == "NOT_KNOWN"
    assert found["nearPoor"] == {"result": "NOT_FOUND"}
    assert found["housing"] == {
        "programme": "housing",
        "result": "FOUND",
        "conflicts": [
            {
                "kind": "SAME_PROGRAMME",
                "receipt": {
                    "offices": ["office-11110"],
                    "basis": {"article": "Article 9", "mark": "S"},
                },
            }
        ],
    }


def test_the_log_names_the_derived_answer_and_none_of_what_it_was_worked_out_from(
    demo: Demo,
) -> None:
    query = "query($id: ID!) { recipient(id: $id) { duplicateReceipts { result } } }"
    assert "errors" not in demo.ask(query, {"id": demo.recipient}, purpose="duplicate-check").body
    intent, *_, outcome = demo.last_operation()
    assert list(outcome["derived"]) == ["duplicateReceipts"]
    disclosed = [item for of in outcome["disclosed"]["resident"] for item in of["items"]]
    assert disclosed == ["resident.exists"]
    assert "benefits" not in outcome["disclosed"]
    assert "resident.moveInDate" in intent["derivable"]["duplicateReceipts"]
    assert "resident.moveInDate" not in intent["granted"]


def test_the_date_that_it_is_worked_out_from_stays_denied_to_the_purpose(demo: Demo) -> None:
    query = """query($id: ID!) { recipient(id: $id) {
      duplicateReceipts { result } resident { moveInDate } } }"""
    answer = demo.ask(query, {"id": demo.recipient}, purpose="duplicate-check")
    assert (answer.status, answer.codes) == (403, ["PURPOSE_DENIED"])
    withheld = {"Hub-On-Denied": "withhold"}
    answer = demo.ask(query, {"id": demo.recipient}, purpose="duplicate-check", headers=withheld)
    found = answer.body["data"]["recipient"]
    assert found["resident"] == {"moveInDate": None}
    assert found["duplicateReceipts"]["result"] == "NOT_KNOWN"


def test_recipients_see_how_their_own_applications_come_on(demo: Demo) -> None:
    query = """query($id: ID!) { recipient(id: $id) { applications {
      applied status progress { stage workingDays due dueIfExtended timeliness nextToAct
        explanation { ko en } } } } }"""
    answer = demo.ask(
        query, {"id": demo.recipient}, person="recipient", purpose="subject-access", case=None
    )
    assert "errors" not in answer.body
    (application,) = answer.body["data"]["recipient"]["applications"]
    progress = application["progress"]
    assert application["applied"] == "2026-10-05"
    assert progress["stage"] == "INVESTIGATING"
    assert (progress["due"], progress["dueIfExtended"]) == ("2026-11-04", "2026-12-04")
    assert progress["nextToAct"] == "OFFICE"
    assert progress["workingDays"] >= 35
    assert "2026-12-04" in progress["explanation"]["ko"]
    assert "2026-12-04" in progress["explanation"]["en"]


def test_a_programme_that_there_is_not_is_told_at_its_field(demo: Demo) -> None:
    query = """query($id: ID!) { recipient(id: $id) { identity { name }
      wouldDuplicate(programme: "basic pension") { result } } }"""
    answer = demo.ask(query, {"id": demo.recipient}, purpose="duplicate-check")
    assert answer.status == 200
    assert answer.codes == ["NO_SUCH_PROGRAMME"]
    assert answer.body["data"]["recipient"]["wouldDuplicate"] is None
    assert answer.body["data"]["recipient"]["identity"]["name"]
    assert "basic pension" not in answer.body["errors"][0]["message"]
