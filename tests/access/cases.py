"""Access cases as data: read from TOML, and turned into requests by what the demo's people are."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.access.transcript import Exchange, Transcript
from tests.access.world import MALFORMED, NO_CASE, NOBODY, World

HERE = Path(__file__).parent
Decision = Literal["answered", "withheld", "denied", "out of reach", "refused", "unavailable"]
SAMPLE_PLACE = ("office-11110", "11110")
MORE_THAN_ALLOWED = 101


@dataclass(frozen=True)
class Case:
    """Caller, purpose, case and query; decision and reasons. `says` is what a lawyer reads.

    `asks` is what is asked of the recipients, `of_case` of the case itself, `query` a whole
    document. `items` are exact, `exists` items apart; `rules` are by item or by recipient.
    """

    theme: str
    says: str
    caller: str
    purpose: str
    decision: Decision
    case: str | list[str] = "none"
    about: str | list[str] = "sample"
    asks: str = ""
    of_case: str = ""
    query: str = ""
    withhold: bool = False
    variables: dict[str, Any] = field(default_factory=dict)
    items: dict[str, list[str]] = field(default_factory=dict)
    rule: str = ""
    rules: dict[str, str] = field(default_factory=dict)
    code: str = ""
    reached: list[str] = field(default_factory=list)
    partly: bool = False
    concealed: list[str] = field(default_factory=list)
    reduced: dict[str, str] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def people(self) -> list[str]:
        """The words for whom it is about."""
        return [self.about] if isinstance(self.about, str) else self.about

    @property
    def cases(self) -> list[str]:
        """The words for the cases it names."""
        named = [self.case] if isinstance(self.case, str) else self.case
        return [words for words in named if words != "none"]

    @property
    def document(self) -> str:
        """The document asked."""
        if self.query:
            return self.query
        if self.of_case:
            return f"query($case: ID!) {{ case(reference: $case) {{ {self.of_case} }} }}"
        if isinstance(self.about, str):
            return f"query($id: ID!) {{ recipient(id: $id) {{ {self.asks} }} }}"
        return f"query($ids: [ID!]!) {{ recipients(ids: $ids) {{ {self.asks} }} }}"


def read_cases() -> list[Case]:
    """Every access case of every theme."""
    known = {entry.name for entry in dataclasses.fields(Case)}
    found: list[Case] = []
    for path in sorted((HERE / "cases").glob("*.toml")):
        for table in tomllib.loads(path.read_text())["case"]:
            assert table.keys() <= known, f"{path.name}: unknown {table.keys() - known}"
            found.append(Case(theme=path.stem, **table))
    return found


def read_callers() -> dict[str, dict[str, Any]]:
    """The callers by name."""
    return tomllib.loads((HERE / "callers.toml").read_text())


@dataclass
class Asker:
    """Asks access cases of the demo."""

    world: World
    transcript: Transcript
    callers: Mapping[str, Mapping[str, Any]] = field(default_factory=read_callers)

    def ask(self, case: Case) -> Exchange:
        """Ask one case over HTTP."""
        references = [self.reference(words) for words in case.cases]
        place = self._place(case, references)
        own = self._own(case)
        people = [self._person(words, references, place, own) for words in case.people]
        ids = [key for found in people for key in found]
        given = {"id": ids[0] if ids else "", "ids": ids, "case": next(iter(references), NO_CASE)}
        given |= case.variables
        named = re.findall(r"\$(\w+)", case.document)
        sent = {name: value for name, value in given.items() if name in named}
        declared = "case" not in sent
        return self.transcript.ask(
            case.document,
            sent,
            token=self._token(case, references, place),
            purpose=None if case.purpose == "none" else case.purpose,
            case=", ".join(references) if references and declared else None,
            headers={"Hub-On-Denied": "withhold"} if case.withhold else {},
        )

    def reference(self, words: str) -> str:
        """The reference of a case in words."""
        fixed = {"sample": self.world.sample_case, "unknown": NO_CASE, "malformed": "no; case"}
        if words == "of a colleague":
            return self.world.colleagues_case()
        return fixed.get(words) or self.world.case(words)

    def person(self, case: Case, words: str) -> str:
        """The id of the first person of an access case whom these words mean."""
        references = [self.reference(name) for name in case.cases]
        return self._person(words, references, self._place(case, references), self._own(case))[0]

    def _place(self, case: Case, references: list[str]) -> tuple[str, str]:
        """The office and district of the caller: where the case is, or else whom it is about."""
        known = [key for key in references if key in self.world.applicants]
        if known:
            district = self.world.district(self.world.applicants[known[0]])
        elif case.people and case.people[0].partition(" ")[0] in ("receiver", "paid", "protected"):
            (person,) = self._person(case.people[0], [], SAMPLE_PLACE, "")
            district = self.world.district(person)
        else:
            return SAMPLE_PLACE
        return f"office-{district}", district

    def _own(self, case: Case) -> str:
        personas = self.transcript.demo.personas
        like = self.callers[case.caller]["like"]
        return personas[like]["recipient"] if like in personas else self.world.sample

    def _person(
        self, words: str, references: list[str], place: tuple[str, str], own: str
    ) -> list[str]:
        world = self.world
        applicants = [world.applicants[key] for key in references if key in world.applicants]
        applicant = next(iter(applicants), world.sample)
        kind, _, programme = words.partition(" ")
        if kind == "receiver":
            return [world.receiver(programme, only=False)]
        if words.startswith("paid only "):
            return [world.receiver(words.removeprefix("paid only "), only=True)]
        if words == "a hundred nobodies":
            return [f"998899-1{number:06}" for number in range(100)]
        if words == "more than a hundred nobodies":
            return [f"998899-1{number:06}" for number in range(MORE_THAN_ALLOWED)]
        if words == "second applicant":
            return [applicants[1]]
        found: dict[str, Callable[[], str]] = {
            "sample": lambda: world.sample,
            "applicant": lambda: applicant,
            "member": lambda: next(key for key in world.members(applicant) if key != applicant),
            "child": self.world.child,
            "own": lambda: own,
            "own household": lambda: next(key for key in world.members(own) if key != own),
            "neighbour": lambda: world.neighbour(place[1]),
            "other district": lambda: world.elsewhere(place[1]),
            "dead": world.dead,
            "unknown": lambda: NOBODY,
            "malformed": lambda: MALFORMED,
            "empty": lambda: "",
            "paid nothing but held": world.held_receiver,
            "protected receiver": world.protected_receiver,
            "official": lambda: self.transcript.demo.personas["officer"]["recipient"],
        }
        return [found[words]()]

    def _token(self, case: Case, references: list[str], place: tuple[str, str]) -> str:
        caller = self.callers[case.caller]
        claims: dict[str, Any] = {}
        if caller.get("placed", True):
            claims |= {"office": place[0], "district": place[1]}
        claims |= caller.get("claims", {})
        claims |= dict.fromkeys(caller.get("without", ()))

        def filled(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: filled(one) for name, one in value.items()}
            if isinstance(value, str) and value.startswith("$"):
                return self._person(value[1:], references, place, self._own(case))[0]
            return value

        return self.transcript.demo.token(caller["like"], **filled(claims))
