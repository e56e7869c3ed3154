"""What the log says of one operation: INTENT before anything is asked, OUTCOME before release.

A record names items, never values. Subjects are keyed pseudonyms (HMAC-SHA-256); the operation is
known by its name and by the hash of its text without literals.
"""

from __future__ import annotations

import asyncio
import datetime
import hmac
import math
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from authz.caller import Caller
from authz.decide import Verdict
from authz.purpose import Decision, Purpose
from hub.admission import Denied
from hub.errors import RequestRefused, refused
from hub.gather import Call
from hub.plan import Plan
from hub.querylog.quota import Quota
from hub.querylog.sealing import YEARS, Keep
from hub.querylog.store import STAFF, LogUnavailable, Store
from schema.view import View
from sources.adapter import Context
from sources.declaration import Catalogue, Subject


class Pseudonyms:
    """Keyed pseudonyms: the same for the same subject, and nobody's without the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, subject: str) -> str:
        """The pseudonym of a subject, 32 hexadecimal digits."""
        return hmac.digest(self._key, subject.encode(), "sha256").hex()[:32]


@dataclass(frozen=True, slots=True)
class Because:
    """Who asks, why, and with which document: what all records of an operation repeat."""

    caller: Caller
    purpose: Purpose | None
    reason: str
    plan: Plan
    register_version: str
    anew: bool = False


_LONG_NUMBER = re.compile(r"\d{6}")


@dataclass(frozen=True, slots=True)
class Log:
    """The query log as the pipeline uses it; operations have so many `seconds` to ask sources."""

    store: Store
    quota: Quota
    pseudonyms: Pseudonyms
    catalogue: Catalogue
    seconds: float = math.inf

    def entry(self, because: Because) -> Entry:
        """The records of one operation, to be entered as a context."""
        return Entry(self, because)

    async def event(self, kind: str, facts: Mapping[str, Any], keep: Keep = STAFF) -> int:
        """Make it durable that something happened that is no operation; its place in the tree.

        `facts` may have what an operation's record has (`person`, `office`, `purpose`, `outcome`,
        `subjects` and `casesNamed` as pseudonyms, `reason`), and is found by it in the same way.
        Raises LogUnavailable.
        """
        return await self.store.append(
            {"kind": kind, "at": _now(), "hub": self.store.run, **facts}, keep
        )


class Entry:
    """The records of one operation. Left without an outcome, it records how it ended.

    `cases` are those that were found to give a reason, and `calls` those made so far. `facts` is
    what else every further record says.
    """

    def __init__(self, log: Log, because: Because) -> None:
        self._log = log
        self._because = because
        self.operation = str(uuid.uuid4())
        self._started = time.perf_counter()
        self._deadline = asyncio.get_running_loop().time() + log.seconds
        self._intended: set[str] = set()
        self._scope: dict[str, object] = {}
        self._subjects: dict[str, None] = {}
        self._pseudonyms: dict[str, str] = {}
        self._cases_named: dict[str, None] = {}
        purpose = because.purpose
        self._keep = Keep("recipients", purpose.retention if purpose else YEARS)
        self.cases: tuple[str, ...] = ()
        self.calls: list[Call] = []
        self.facts: dict[str, object] = {}

    def _pseudonym(self, key: str) -> str:
        """The pseudonym of a subject or case, worked out once an operation."""
        found = self._pseudonyms.get(key)
        if found is None:
            found = self._pseudonyms[key] = self._log.pseudonyms.of(key)
        return found

    def context(self, cases: tuple[str, ...]) -> Context:
        """What agencies are told of the operation; of cases, only those that give a reason."""
        purpose = self._because.purpose
        return Context(
            purpose=purpose.code if purpose else "",
            legal_basis=purpose.legal_basis.text if purpose else "",
            case=",".join(cases),
            operation=self.operation,
            user=self._because.caller.person,
            deadline=self._deadline,
            anew=self._because.anew,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if isinstance(error, RequestRefused):
                await self._refused(error)
            elif error is not None and not isinstance(error, LogUnavailable):
                cancelled = isinstance(error, asyncio.CancelledError)
                facts = {**self._about(), "outcome": "abandoned" if cancelled else "failed"}
                await asyncio.shield(self._append("OUTCOME", facts))
        except LogUnavailable:
            self._owe()
            raise
        if isinstance(error, LogUnavailable):
            self._owe()

    def _owe(self) -> None:
        """Have it logged, once the log can be written again, that there was no answer."""
        if self._intended:
            facts = {**self._about(), "outcome": "failed", "errors": ["LOG_UNAVAILABLE"]}
            self._log.store.owe(self._record("OUTCOME", facts), self._keep)

    def names(self, subjects: Iterable[str], cases: Iterable[str]) -> None:
        """Whom and which cases the operation names; its OUTCOME is found by them, even refused."""
        pseudonym = self._pseudonym
        self._subjects |= dict.fromkeys(map(pseudonym, subjects))
        self._cases_named |= dict.fromkeys(map(pseudonym, cases))

    def _about(self) -> dict[str, list[str]]:
        return {"subjects": list(self._subjects), "casesNamed": list(self._cases_named)}

    def flag(self, flags: Mapping[str, Sequence[str]]) -> None:
        """What further records say of subjects; `hub/querylog/index.py` names the flags."""
        if flags:
            self.facts["flags"] = [
                {"subject": self._pseudonym(key), "flags": list(names)}
                for key, names in flags.items()
            ]

    async def count(self, subjects: Iterable[str], most: int | None) -> None:
        """Count these subjects for the caller. Raises RequestRefused beyond `most` in 24 hours."""
        if most is None:
            return
        person = self._because.caller.person
        pseudonyms = {self._pseudonym(subject) for subject in subjects}
        if not await self._log.quota.take(person, sorted(pseudonyms), most):
            message = f"the purpose reaches {most} recipients in 24 hours and no more"
            raise refused("PURPOSE_LIMIT", message, remedy="ask again later, or ask your officer")

    async def intend(
        self,
        subjects: Iterable[str],
        cases: Iterable[str],
        verdict: Verdict,
        lookups: Iterable[str],
        lookers: Sequence[str] = (),
    ) -> None:
        """Make it durable that these subjects and cases may be asked about, for what is granted.

        `lookers` are those who look, as residents: what is compared is looked up of them too. The
        operation is not about them. Raises LogUnavailable.
        """
        self._scope = {
            "granted": sorted(verdict.granted),
            "derivable": {name: sorted(items) for name, items in verdict.derivable.items()},
            "reduced": reduced(verdict),
            "lookups": sorted(lookups),
            "casesNamed": [self._pseudonym(case) for case in dict.fromkeys(cases)],
        }
        if lookers:
            self._scope["lookers"] = [self._pseudonym(key) for key in lookers]
        await self._intend(list(dict.fromkeys(subjects)))

    async def intend_for(self, subjects: Iterable[str]) -> None:
        """Make it durable that further subjects may be asked about. Raises LogUnavailable."""
        added = [key for key in dict.fromkeys(subjects) if key not in self._intended]
        if added:
            await self._intend(added)

    async def intend_keys(self, keys: Iterable[str]) -> None:
        """Make it durable that sources may be asked by these keys, which others have answered.

        Raises LogUnavailable.
        """
        found = [self._pseudonym(key) for key in dict.fromkeys(keys)]
        requested = self._because.plan.asked.every
        await self._append(
            "INTENT", {"subjects": [], "keys": found, "requested": requested, **self._scope}
        )

    async def intend_waiting(self, wants: Mapping[tuple[Subject, str], Iterable[str]]) -> None:
        """Make it durable which items their condition has opened, and of whom they may be asked.

        Raises LogUnavailable.
        """
        found = [self._pseudonym(key) for _, key in wants]
        items = sorted(set().union(*wants.values()))
        requested = self._because.plan.asked.every
        scope = {**self._scope, "conditional": items}
        await self._append("INTENT", {"subjects": found, "requested": requested, **scope})

    async def _intend(self, subjects: list[str]) -> None:
        pseudonyms = [self._pseudonym(subject) for subject in subjects]
        self._subjects |= dict.fromkeys(pseudonyms)
        requested = self._because.plan.asked.every
        await self._append(
            "INTENT", {"subjects": pseudonyms, "requested": requested, **self._scope}
        )
        self._intended.update(subjects)

    async def _refused(self, refusal: RequestRefused) -> None:
        decisions = refusal.decisions if isinstance(refusal, Denied) else ()
        await self._append(
            "OUTCOME",
            {
                **self._about(),
                "outcome": "refused",
                "errors": refusal.codes,
                "requested": self._because.plan.asked.every,
                "denied": _denied(decisions),
                "sources": self._sources(),
            },
        )

    def leaves(self, unreached: Mapping[str, str]) -> None:
        """By which rule each is not reached; the OUTCOME says it, also where all is refused."""
        self.facts["unreached"] = [
            {"subject": self._pseudonym(subject), "rule": rule}
            for subject, rule in unreached.items()
        ]

    async def outcome(
        self,
        view: View,
        denied: Sequence[Decision],
        errors: Sequence[str],
        unreached: Mapping[str, str],
        concealed: Mapping[str, Sequence[str]],
    ) -> None:
        """Make it durable what is about to be released. Raises LogUnavailable."""
        pseudonym = self._pseudonym
        self.leaves(unreached)
        await self._append(
            "OUTCOME",
            {
                **self._about(),
                "outcome": "answered",
                "errors": errors,
                "denied": _denied(denied),
                "concealed": [
                    {"subject": pseudonym(subject), "sources": sources}
                    for subject, sources in concealed.items()
                ],
                "unmet": [
                    {"subject": pseudonym(key), "item": denial.item, "rule": denial.rule}
                    for key, denials in view.unmet.items()
                    for denial in denials.values()
                ],
                "disclosed": self._disclosed(view.settle()),
                "derived": {
                    name: [pseudonym(key) for key, names in view.derived.items() if name in names]
                    for name in sorted(set().union(*view.derived.values()))
                },
                "sources": self._sources(),
            },
        )

    def _sources(self) -> list[dict[str, Any]]:
        """The calls that were made, with what their protocols give to prove them by."""
        return [
            {
                "source": call.source,
                "round": call.round,
                "state": call.state,
                **({"evidence": [dict(each) for each in call.evidence]} if call.evidence else {}),
            }
            for call in self.calls
        ]

    def _disclosed(
        self, released: Mapping[str, Iterable[str]]
    ) -> dict[str, list[dict[str, list[str]]]]:
        """By source: each set of items with the subjects it was released of."""
        grouped: dict[str, dict[tuple[str, ...], list[str]]] = {}
        for key, names in released.items():
            pseudonym = self._pseudonym(key)
            for source, subject, items in self._log.catalogue.by_source(frozenset(names)):
                of = key if subject == "case" else pseudonym
                grouped.setdefault(source, {}).setdefault(items, []).append(of)
        return {
            source: [{"items": list(items), "subjects": keys} for items, keys in groups.items()]
            for source, groups in sorted(grouped.items())
        }

    async def _append(self, kind: str, facts: Mapping[str, Any]) -> None:
        await self._log.store.append(self._record(kind, facts), self._keep)

    def _record(self, kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        took = time.perf_counter() - self._started
        return {
            **self._repeated,
            "kind": kind,
            "at": _now(),
            "cases": self.cases,
            "durationMicroseconds": int(took * 1_000_000),
            **self.facts,
            **facts,
        }

    @cached_property
    def _repeated(self) -> dict[str, Any]:
        """What every record of the operation says."""
        because, purpose = self._because, self._because.purpose
        name = because.plan.operation.name
        label = name.value if name is not None and not _LONG_NUMBER.search(name.value) else None
        return {
            "operation": self.operation,
            "hub": self._log.store.run,
            "person": because.caller.person,
            "issuer": because.caller.issuer,
            "actor": [
                {"person": actor.person, "issuer": actor.issuer} for actor in because.caller.actors
            ],
            "roles": sorted(because.caller.roles),
            "office": because.caller.office,
            "purpose": purpose.code if purpose else None,
            "legalBasis": purpose.legal_basis.text if purpose else None,
            "reason": because.reason or None,
            "register": because.register_version,
            "document": {"name": label, "hash": because.plan.document.hash},
            **({"anew": True} if because.anew else {}),
        }


def reduced(verdict: Verdict) -> dict[str, str]:
    """The items that are released reduced, with how."""
    return {item: transform.text for item, transform in sorted(verdict.transforms.items())}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _denied(decisions: Sequence[Decision]) -> list[dict[str, str]]:
    return [
        {"item": entry.item, "rule": entry.rule} | ({} if entry.use is None else {"use": entry.use})
        for entry in decisions
    ]
