"""Questions of several operations in one call, over real HTTP: who goes along, and who pays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hub.gather import Ask, Gathered, Gatherer
from schema.view import State
from sources.adapter import Context, Question
from sources.reading import read_catalogue
from sources.rest import RestAdapter
from tests.sources.agency import Agency, Asked, answer, serving

DECLARATION = """\
[source]
agency = "Tax"
description = "Pay"
adapter = "rest"
batch = 4
timeout = "5s"

[source.retry]
times = 0

[source.breaker]
failures = 100

[rest]
url = "${TAX_URL}"
keys = "ids"
items = "fields"
records = "records"
key = "id"

[rest.context]
purpose = "X-Purpose"
legal_basis = "X-Legal-Basis"
MORE

[item.pay]
description = "Pay"
type = "Int"
category = "income"

[item.tax]
description = "Tax"
type = "Int"
category = "income"
"""
CONTEXT = Context("pension", "Pension Act, Article 11", "C-1", "op-1", "official-1")


def records(asked: Asked) -> bytes:
    """A record of everyone asked about, but of those whom nobody knows."""
    return answer(
        {
            "records": [
                {"id": key, **dict.fromkeys(asked.body["fields"], len(key))}
                for key in asked.body["ids"]
                if not key.startswith("nobody")
            ]
        }
    )


class Over:
    """Gatherers over one agency, and what it was asked."""

    def __init__(self, stack: AsyncExitStack, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._stack, self._patch, self._folder = stack, patch, folder
        self.agency = Agency([b""])
        self.reached = asyncio.Event()

    async def __call__(
        self, respond_to: Callable[[Asked], bytes | None] = records, more: str = ""
    ) -> Over:
        def respond(asked: Asked) -> bytes | None:
            self.reached.set()
            return respond_to(asked)

        self.agency.respond_to = respond  # type: ignore[assignment]
        await self._stack.enter_async_context(serving(self.agency))
        self._patch.setenv("TAX_URL", self.agency.url)
        (self._folder / "tax.toml").write_text(DECLARATION.replace("MORE", more))
        catalogue, faults = read_catalogue(self._folder, ["tax"], "tax", "tax")
        assert faults == []
        self.source = catalogue.sources["tax"]
        self.adapter = RestAdapter(self.source)
        self.gatherer = Gatherer(catalogue, {"tax": self.adapter})
        self._stack.push_async_callback(self.gatherer.close)
        return self

    def ask(
        self, *keys: str, context: Context = CONTEXT, items: Iterable[str] = ("pay",), data: int = 1
    ) -> Any:
        names = {f"tax.{name}" for name in ("exists", *items)}
        wanted = tuple(item for item in self.source.items if item.name in names)
        return self.gatherer.data(data, [Ask("tax", "person", keys, wanted)], context)

    @property
    def asked(self) -> list[list[str]]:
        """The people of each call."""
        return [sorted(asked.body["ids"]) for asked in self.agency.asked]


@pytest.fixture
async def over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Over]:
    async with AsyncExitStack() as stack:
        yield Over(stack, monkeypatch, tmp_path)


def states(gathered: Gathered) -> dict[str, str]:
    return {
        key: answer.failure.code if answer.failure else answer.state.value
        for (_, key), answer in gathered.answers.items()
    }


KNOWN = State.KNOWN.value


# Who goes along


async def test_operations_of_the_same_instant_ask_in_one_call_each_for_its_own(over: Over) -> None:
    asking = await over()
    found = await asyncio.gather(asking.ask("a"), asking.ask("bb", "ccc"), asking.ask("a"))
    assert asking.asked == [["a", "bb", "ccc"]]
    assert [list(one.answers) for one in found] == [
        [("tax", "a")],
        [("tax", "bb"), ("tax", "ccc")],
        [("tax", "a")],
    ]
    assert found[1].answers["tax", "ccc"].values == {"pay": 3}
    assert [[call.people for call in one.calls] for one in found] == [[1], [2], [1]]


async def test_no_call_has_more_people_than_a_batch(over: Over) -> None:
    asking = await over()
    await asyncio.gather(*(asking.ask(f"p{number}") for number in range(9)))
    assert [len(people) for people in asking.asked] == [4, 4, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"context": CONTEXT._replace(purpose="livelihood")},
        {"context": CONTEXT._replace(legal_basis="Livelihood Act, Article 22")},
        {"items": ("pay", "tax")},
    ],
    ids=["purpose", "legal basis", "items"],
)
async def test_what_is_asked_otherwise_goes_apart(over: Over, other: dict[str, Any]) -> None:
    asking = await over()
    await asyncio.gather(asking.ask("a"), asking.ask("b", **other))
    assert sorted(asking.asked) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("told", "apart"),
    [("", False), ('user = "X-User"', True), ('case = "X-Case"', True)],
    ids=["neither", "the official", "the case"],
)
async def test_who_asks_tells_calls_apart_where_the_agency_is_told(
    over: Over, told: str, apart: bool
) -> None:
    asking = await over(more=told)
    other = CONTEXT._replace(user="official-2", case="C-2", operation="op-2")
    await asyncio.gather(asking.ask("a"), asking.ask("b", context=other))
    assert sorted(asking.asked) == ([["a"], ["b"]] if apart else [["a", "b"]])
    said = [str(asked.headers) for asked in asking.agency.asked]
    assert any("official-2" in headers for headers in said) is ("user" in told)


async def test_where_the_agency_is_told_of_each_operation_none_go_together(over: Over) -> None:
    asking = await over(more='operation = "X-Request-Id"')
    await asyncio.gather(asking.ask("a"), asking.ask("b"))
    assert sorted(asking.asked) == [["a"], ["b"]]


async def test_a_look_up_for_access_waits_for_no_call_that_is_under_way(over: Over) -> None:
    asking = await over()
    items = asking.source.items
    ask = [Ask("tax", "person", ("a",), items)]
    first = asyncio.create_task(asking.gatherer.round("case", ask, CONTEXT))
    await asking.reached.wait()
    await asyncio.gather(first, asking.gatherer.round("case", ask, CONTEXT))
    assert asking.asked == [["a"], ["a"]]


async def test_a_person_of_whom_a_question_is_under_way_is_not_asked_about_again(
    over: Over,
) -> None:
    asking = await over()
    first = asyncio.create_task(asking.ask("a"))
    await asking.reached.wait()
    found = await asyncio.gather(first, asking.ask("a"))
    assert asking.asked == [["a"]]
    assert [states(one) for one in found] == [{"a": KNOWN}] * 2


# Who pays


def refusing(bad: str, failure: bytes) -> Callable[[Asked], bytes]:
    def respond(asked: Asked) -> bytes:
        return failure if bad in asked.body["ids"] else records(asked)

    return respond


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (answer({}, "400 Bad Request"), "SOURCE_UNAVAILABLE"),
        (answer({}, "500 Internal Server Error"), "SOURCE_UNAVAILABLE"),
        (answer(b"no JSON"), "SOURCE_CONTRACT"),
    ],
    ids=["400", "500", "no JSON"],
)
async def test_an_id_that_the_agency_cannot_bear_costs_only_who_asked_for_it(
    over: Over, failure: bytes, code: str
) -> None:
    asking = await over(refusing("bad", failure))
    found = await asyncio.gather(*(asking.ask(key) for key in ("a", "bad", "c", "d")))
    assert [states(one) for one in found] == [
        {"a": KNOWN},
        {"bad": code},
        {"c": KNOWN},
        {"d": KNOWN},
    ]
    assert asking.asked[0] == ["a", "bad", "c", "d"]


async def test_anothers_record_in_the_place_of_ones_costs_no_one_elses_absence(over: Over) -> None:
    def respond(asked: Asked) -> bytes:
        ids = asked.body["ids"]
        mixed = {"records": [{"id": "who?", "pay": 1}]}
        return answer(mixed) if "bad" in ids else records(asked)

    asking = await over(respond)
    found = await asyncio.gather(*(asking.ask(key) for key in ("nobody", "bad", "c")))
    absent = State.ABSENT.value
    assert [states(one) for one in found] == [
        {"nobody": absent},
        {"bad": "SOURCE_CONTRACT"},
        {"c": KNOWN},
    ]


async def test_a_source_that_cannot_be_reached_is_not_asked_by_halves(over: Over) -> None:
    asking = await over(lambda _: b"")
    found = await asyncio.gather(*(asking.ask(key) for key in ("a", "b", "c")))
    assert [set(states(one).values()) for one in found] == [{"SOURCE_UNAVAILABLE"}] * 3
    assert asking.asked == [["a", "b", "c"]]


async def test_who_gives_up_takes_no_other_along(over: Over) -> None:
    asking = await over()
    given_up, other = asyncio.create_task(asking.ask("a")), asyncio.create_task(asking.ask("b"))
    await asking.reached.wait()
    given_up.cancel()
    assert states(await other) == {"b": KNOWN}
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_who_gives_up_before_the_call_is_not_asked_about(over: Over) -> None:
    asking = await over()
    given_up, other = asyncio.create_task(asking.ask("a")), asyncio.create_task(asking.ask("b"))
    asyncio.get_running_loop().call_soon(given_up.cancel)
    assert states(await other) == {"b": KNOWN}
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert asking.asked == [["b"]]


async def test_an_operation_without_time_left_hurries_no_other(over: Over) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    asking = await over()

    async def slowly(question: Question, answering: Any = asking.adapter.ask) -> Any:
        reached.set()
        await go_on.wait()
        return await answering(question)

    asking.adapter.ask = slowly  # type: ignore[method-assign]
    short = CONTEXT._replace(deadline=asyncio.get_running_loop().time() + 0.05)
    hasty = asyncio.create_task(asking.ask("a", context=short))
    other = asyncio.create_task(asking.ask("b"))
    assert states(await hasty) == {"a": "SOURCE_TIMEOUT"}
    assert reached.is_set()
    go_on.set()
    assert states(await other) == {"b": KNOWN}
    assert asking.asked == [["a", "b"]]
