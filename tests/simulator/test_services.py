"""The services over real HTTP: what they give and refuse, how they break, what they record."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sources.simulator import labour, resident, tax
from sources.simulator.access import read_access
from sources.simulator.agency import Agency
from sources.simulator.faults import HUGE_BYTES
from tests.simulator.processes import TOKEN, Running

SERVICES = [one.AGENCY for one in (resident, tax, labour)]
NOBODY = "999999-1999999"


class Client:
    """A caller of one service."""

    def __init__(self, agency: Agency, running: Running) -> None:
        self.agency = agency
        self._client = httpx.Client(
            base_url=running.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        )

    def ask(self, ids: list[str], items: list[str], **headers: str) -> httpx.Response:
        body = {self.agency.keys: ids, self.agency.items: items}
        return self._client.post(self.agency.path, json=body, headers=headers)

    def records(self, ids: list[str], items: list[str]) -> list[dict[str, Any]]:
        answer = self.ask(ids, items)
        assert answer.status_code == 200, answer.text
        found: Any = answer.json()
        for name in self.agency.records:
            found = found[name]
        assert isinstance(found, list)
        return found

    def break_by(self, mode: str, milliseconds: int = 500) -> None:
        answer = self._client.post("/_simulator/fault", json={"mode": mode, "ms": milliseconds})
        assert answer.json() == {"mode": mode, "ms": milliseconds}

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        return self._client.post(self.agency.path, content=content, headers=headers)

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def clients(agencies: dict[str, Running]) -> Iterator[dict[str, Client]]:
    found = {one.name: Client(one, agencies[one.name]) for one in SERVICES}
    yield found
    for client in found.values():
        client.close()


@pytest.fixture(params=SERVICES, ids=lambda agency: agency.name)
def service(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    return clients[request.param.name]


@pytest.fixture
def broken(clients: dict[str, Client]) -> Iterator[Client]:
    yield clients["tax"]
    clients["tax"].break_by("none")


def test_a_service_gives_the_requested_items_only(service: Client, sample: dict[str, Any]) -> None:
    agency = service.agency
    (record,) = service.records([sample["recipient"]], agency.item_names()[:2])
    assert list(record) == [agency.key, agency.as_of, *agency.item_names()[:2]]


def test_a_list_holds_the_requested_columns_only(service: Client, sample: dict[str, Any]) -> None:
    name, item = next(iter(service.agency.lists.items()))
    column = next(iter(item.columns))
    (record,) = service.records([sample["recipient"]], [f"{name}.{column}"])
    assert record[name]
    assert all(list(entry) == [column] for entry in record[name])


def test_no_items_give_the_key_and_the_date_alone(service: Client, sample: dict[str, Any]) -> None:
    agency = service.agency
    (record,) = service.records([sample["recipient"]], [])
    assert list(record) == [agency.key, agency.as_of]


def test_the_sample_recipient_has_something_of_everything(
    service: Client, sample: dict[str, Any]
) -> None:
    (record,) = service.records([sample["recipient"]], service.agency.item_names())
    assert all(record[name] for name in service.agency.lists)


def test_unknown_people_have_no_record(service: Client, sample: dict[str, Any]) -> None:
    ids = [NOBODY, "not an id", sample["recipient"], "\uff1829020-1705151", ""]
    records = service.records(ids, [])
    assert [record[service.agency.key] for record in records] == [sample["recipient"]]


def test_a_person_asked_twice_has_one_record(service: Client, sample: dict[str, Any]) -> None:
    assert len(service.records([sample["recipient"]] * 2, [])) == 1


def test_children_are_unknown_to_tax_and_labour(
    clients: dict[str, Client], sample: dict[str, Any]
) -> None:
    (family,) = clients["resident"].records([sample["recipient"]], ["members.id"])
    members = [member["id"] for member in family["members"]]
    assert len(members) == 4
    assert len(clients["resident"].records(members, [])) == 4
    assert len(clients["tax"].records(members, [])) == 2


def test_an_unknown_item_is_refused_by_name(service: Client) -> None:
    answer = service.ask([NOBODY], [service.agency.item_names()[0], "shoeSize"])
    assert (answer.status_code, answer.json()) == (400, {"error": "unknown item `shoeSize`"})


def test_a_list_itself_is_no_item(service: Client) -> None:
    name = next(iter(service.agency.lists))
    answer = service.ask([NOBODY], [name])
    assert (answer.status_code, answer.json()) == (400, {"error": f"unknown item `{name}`"})


@pytest.mark.parametrize("given", ["Bearer wrong", TOKEN, "", "Basic eDp5"])
def test_a_call_without_the_token_is_refused(service: Client, given: str) -> None:
    answer = service.ask([NOBODY], [], Authorization=given)
    assert answer.status_code == 401
    assert answer.json() == {"error": "send the bearer token of this agency"}


def test_more_than_500_people_are_refused(service: Client) -> None:
    assert service.ask([NOBODY] * 500, []).status_code == 200
    answer = service.ask([NOBODY] * 501, [])
    assert answer.status_code == 413
    assert answer.json() == {"error": "501 people asked, at most 500 a call"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff", b'{"ids": 1}'])
def test_a_body_that_is_no_request_is_refused(service: Client, content: bytes) -> None:
    agency = service.agency
    answer = service.post(content)
    assert answer.status_code == 400
    assert answer.json() == {
        "error": f"send JSON with `{agency.keys}` and `{agency.items}`, lists of text"
    }


def test_each_call_is_recorded_with_its_context(
    service: Client, run_directory: Path, sample: dict[str, Any]
) -> None:
    name = service.agency.name
    before = len(read_access(name, run_directory))
    items = service.agency.item_names()[:3]
    headers = {
        "X-Purpose": "basic-livelihood.application",
        "X-Legal-Basis": "act 7",
        "X-Case": sample["case"],
        "X-Request-Id": "op-1",
    }
    service.ask([sample["recipient"], NOBODY], items, **headers)
    service.ask([NOBODY], ["shoeSize"])
    good, bad = read_access(name, run_directory)[before:]
    assert (good.source, good.subject, good.status) == (name, "person", 200)
    assert good.keys == (sample["recipient"], NOBODY)
    assert good.items == tuple(items)
    assert good.purpose == "basic-livelihood.application"
    assert (good.legal_basis, good.case, good.operation) == ("act 7", sample["case"], "op-1")
    assert (bad.keys, bad.items, bad.status) == ((NOBODY,), ("shoeSize",), 400)


def test_a_slow_service_answers_later(broken: Client, sample: dict[str, Any]) -> None:
    broken.break_by("slow", 300)
    start = time.monotonic()
    assert len(broken.records([sample["recipient"]], ["year"])) == 1
    assert time.monotonic() - start >= 0.3


def test_a_hanging_service_does_not_answer(broken: Client, sample: dict[str, Any]) -> None:
    broken.break_by("hang")
    with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=0.3) as client:
        client.post(
            broken._client.base_url.join(broken.agency.path),
            json={broken.agency.keys: [sample["recipient"]], broken.agency.items: []},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )


def test_an_error_is_500(broken: Client) -> None:
    broken.break_by("error")
    assert broken.ask([NOBODY], []).status_code == 500


def test_garbage_is_no_json(broken: Client) -> None:
    broken.break_by("garbage")
    answer = broken.ask([NOBODY], [])
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting value|invalid start byte|codec"):
        json.loads(answer.content)


def test_an_extra_item_is_one_that_was_not_asked(broken: Client, sample: dict[str, Any]) -> None:
    broken.break_by("extra-item")
    (record,) = broken.records([sample["recipient"]], ["year"])
    assert set(record) - {broken.agency.key, broken.agency.as_of, "year"} == {"earned_income"}


def test_another_person_is_one_who_was_not_asked(broken: Client, sample: dict[str, Any]) -> None:
    broken.break_by("other-person")
    records = broken.records([sample["recipient"]], ["year"])
    assert len({record[broken.agency.key] for record in records}) == 2


def test_values_of_the_wrong_type_are_objects(broken: Client, sample: dict[str, Any]) -> None:
    broken.break_by("wrong-type")
    (record,) = broken.records([sample["recipient"]], ["year", "withholding_statements.paid"])
    assert record["year"] == {"value": 2025}
    assert all(isinstance(one["paid"], dict) for one in record["withholding_statements"])


def test_a_duplicate_is_a_second_record_of_a_person(broken: Client, sample: dict[str, Any]) -> None:
    broken.break_by("duplicate")
    first, second = broken.records([sample["recipient"]], ["year"])
    assert first == second


def test_a_huge_answer_goes_on_and_on(broken: Client) -> None:
    broken.break_by("huge")
    with broken._client.stream("POST", broken.agency.path, content=request_of(broken)) as answer:
        size = sum(len(piece) for piece in answer.iter_bytes())
    assert size > HUGE_BYTES


def test_a_redirect_leads_elsewhere(broken: Client) -> None:
    broken.break_by("redirect")
    answer = broken.ask([NOBODY], [])
    assert (answer.status_code, answer.headers["location"]) == (302, "/elsewhere")


def test_half_a_body_breaks_off(broken: Client) -> None:
    broken.break_by("half-body")
    with pytest.raises(httpx.RemoteProtocolError):
        broken.ask([NOBODY], [])


def test_an_error_may_come_with_200(broken: Client) -> None:
    broken.break_by("error-in-200")
    answer = broken.ask([NOBODY], [])
    assert answer.status_code == 200
    assert list(answer.json()) == ["error"]


def test_a_fault_stays_until_changed_and_unknown_ones_are_refused(broken: Client) -> None:
    broken.break_by("error")
    answer = broken._client.post("/_simulator/fault", json={"mode": "sulk"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("give `mode` as one of none, slow, error")
    assert [broken.ask([NOBODY], []).status_code for _ in range(2)] == [500, 500]
    broken.break_by("none")
    assert broken.ask([NOBODY], []).status_code == 200


def request_of(client: Client) -> bytes:
    return json.dumps({client.agency.keys: [NOBODY], client.agency.items: []}).encode()
