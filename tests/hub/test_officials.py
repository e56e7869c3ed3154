"""The register of officials: asked about offices alone; what it does not tell denies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from authz.caller import Caller
from authz.purpose import LegalBasis, Purpose
from hub.errors import RequestRefused
from hub.gather import Gatherer
from hub.officials import SECONDS, Officials, read_officials
from sources.adapter import BROKEN, Context, Question, Record, Reply, SourceTimeout
from sources.declaration import Source
from sources.fault import Fault

REGISTERS = Path("sources/registers")
CONTEXT = Context("case", "An Act", "", "operation-1")
CALLER = Caller("a", "r-a", frozenset({"caseworker"}), "office-1", "11110", "https://id.example")
CASE = Purpose(
    code="case",
    title="case",
    parent=None,
    legal_basis=LegalBasis(act="An Act", article="Article 1", mark="K"),
    roles=frozenset({"caseworker"}),
    relation="case",
    programmes=frozenset(),
    jurisdiction="none",
    decisions={},
    exists={},
)


@dataclass
class Register:
    """A register that answers what a test says, and keeps what it was asked."""

    officials: Any = field(default_factory=lambda: [{"id": "r-a"}, {"id": "r-b"}])
    failure: Exception | None = None
    asked: list[Question] = field(default_factory=list)

    @staticmethod
    def check(_: Source) -> list[Fault]:
        return []

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        if self.failure is not None:
            raise self.failure
        return Reply({"office-1": Record({"officials": self.officials}, None)})

    async def close(self) -> None:
        self.asked.clear()


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def over(register: Register, clock: Clock | None = None) -> Officials:
    catalogue, faults = read_officials(REGISTERS, "officials")
    assert faults == []
    gatherer = Gatherer(catalogue, {"officials": register})
    return Officials(catalogue, gatherer, clock or Clock())


async def test_the_office_is_asked_about_and_nobody_else() -> None:
    register = Register()
    assert await over(register).colleagues(CALLER, CASE, CONTEXT) == {"r-a", "r-b"}
    (question,) = register.asked
    assert (question.keys, question.context) == (("office-1",), CONTEXT)


async def test_an_answer_is_reused_for_a_minute() -> None:
    register, clock = Register(), Clock()
    officials = over(register, clock)
    for _ in range(3):
        await officials.colleagues(CALLER, CASE, CONTEXT)
    assert len(register.asked) == 1
    clock.now += SECONDS
    register.officials = [{"id": "r-c"}]
    assert await officials.colleagues(CALLER, CASE, CONTEXT) == {"r-c"}


@pytest.mark.parametrize("rows", [[{"id": None}], [{"id": "r-a"}, {"id": None}]])
async def test_an_official_without_an_id_makes_all_unknown(rows: Any) -> None:
    assert await over(Register(rows)).colleagues(CALLER, CASE, CONTEXT) is None


async def test_an_office_that_is_not_known_makes_all_unknown() -> None:
    other = replace(CALLER, office="office-2")
    assert await over(Register()).colleagues(other, CASE, CONTEXT) is None
    nowhere = replace(CALLER, office=None)
    assert await over(Register()).colleagues(nowhere, CASE, CONTEXT) is None


async def test_a_register_that_fails_refuses_and_is_asked_again() -> None:
    register = Register(failure=SourceTimeout("late"))
    officials = over(register)
    with pytest.raises(RequestRefused, match="SOURCE_TIMEOUT"):
        await officials.colleagues(CALLER, CASE, CONTEXT)
    register.failure, register.officials = None, BROKEN
    with pytest.raises(RequestRefused, match="SOURCE_CONTRACT"):
        await officials.colleagues(CALLER, CASE, CONTEXT)
    register.officials = []
    assert await officials.colleagues(CALLER, CASE, CONTEXT) == frozenset()


async def test_without_a_register_the_rule_is_not_in_force() -> None:
    none = Officials(None, None)
    assert none.items(CASE) == ()
    assert await none.colleagues(CALLER, CASE, CONTEXT) == frozenset()
    await none.close()


async def test_one_who_reads_their_own_record_has_no_colleagues_looked_up() -> None:
    register = Register()
    officials, own = over(register), replace(CASE, relation="self")
    assert officials.items(own) == ()
    assert await officials.colleagues(CALLER, own, CONTEXT) == frozenset()
    assert register.asked == []


def test_a_declaration_that_lists_no_officials_is_a_fault(tmp_path: Path) -> None:
    text = (
        (REGISTERS / "officials.toml")
        .read_text()
        .replace('counts_as = "office.officials.id"\n', "")
    )
    (tmp_path / "officials.toml").write_text(text)
    _, (fault,) = read_officials(tmp_path, "officials")
    assert "no column of a list counts as `office.officials.id`" in str(fault)
