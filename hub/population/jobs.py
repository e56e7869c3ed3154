"""Questions that take long: started, looked after, given up, and answered when they are done.

A job is the same operation, by the same way: it is decided, logged and controlled like any other.
Jobs are kept in memory by the hub that runs them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from strawberry import ID

from authz.caller import Caller
from hub.acting import Acting
from hub.errors import RequestRefused, refused
from hub.operation import Encode, Hub, Request
from hub.plan import make_plan
from hub.population.watch import WATCH, Watch
from hub.project import Projected
from hub.querylog.store import LogUnavailable
from hub.trusted import Sent
from schema import statistics as shown

Answer = Callable[[Hub, Caller, Request, Encode], Awaitable[bytes]]
State = Literal["RUNNING", "DONE", "FAILED", "CANCELLED"]
KEPT_SECONDS = 3600
"""How long the answer of a job is kept."""
MOST_RUNNING = 3
"""Jobs that one office has under way at a time."""


@dataclass
class Job:
    """A question under way, or its answer; whose it is."""

    id: str
    owner: tuple[str, str]
    team: str | None
    watch: Watch
    state: State = "RUNNING"
    answer: Any = None
    error: str | None = None
    ended: float | None = None
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True)
class Jobs:
    """The jobs of a hub; `answer` is the way of an operation."""

    answer: Answer
    found: dict[str, Job] = field(default_factory=dict)

    def start(self, acting: Acting, query: str, variables: Mapping[str, Any]) -> Job:
        """Start a question. Raises RequestRefused."""
        self._forget()
        caller = acting.about.caller
        running = [each for each in self.found.values() if each.state == "RUNNING"]
        if sum(each.team == caller.office for each in running) >= MOST_RUNNING:
            message = f"an office has {MOST_RUNNING} questions under way and no more"
            raise refused("QUESTION_BUDGET", message, remedy="cancel one, or wait for it")
        _check_question(acting, query)
        request = Request(
            sent=Sent(query, None),
            variables=variables,
            operation_name=None,
            purpose=acting.purpose.code,
            cases=None,
            reason="",
            withhold=False,
            by_url=False,
        )
        job = Job(str(uuid.uuid4()), _owner(caller), caller.office, Watch(waits=True))
        self.found[job.id] = job
        job.task = asyncio.create_task(self._run(job, acting.hub, caller, request))
        return job

    def of(self, caller: Caller, job: str) -> Job:
        """A job of the caller's own. Raises RequestRefused."""
        self._forget()
        found = self.found.get(job)
        if found is None or found.owner != _owner(caller):
            raise refused("BAD_VARIABLES", "the caller has no such job", remedy="start it anew")
        return found

    async def cancel(self, job: Job) -> None:
        """Give a question up; what was counted is not released."""
        if job.task is not None and not job.task.done():
            job.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job.task

    async def close(self) -> None:
        """Give up all that is under way."""
        for job in list(self.found.values()):
            await self.cancel(job)

    async def _run(self, job: Job, hub: Hub, caller: Caller, request: Request) -> None:
        WATCH.set(job.watch)
        try:
            job.answer = orjson.loads(await self.answer(hub, caller, request, _encode))
            job.state = "DONE"
        except asyncio.CancelledError:
            job.state = "CANCELLED"
        except RequestRefused as error:
            job.state, job.error = "FAILED", _said(error)
        except LogUnavailable:
            job.state, job.error = "FAILED", "LOG_UNAVAILABLE"
        except Exception:
            job.state, job.error = "FAILED", "INTERNAL"
            raise
        finally:
            job.ended = time.monotonic()

    def _forget(self) -> None:
        now = time.monotonic()
        for job in list(self.found.values()):
            if job.ended is not None and now - job.ended > KEPT_SECONDS:
                del self.found[job.id]


def _owner(caller: Caller) -> tuple[str, str]:
    return caller.issuer, caller.person


def _said(error: RequestRefused) -> str:
    found = error.errors[0]
    return f"{error.codes[0]}: {found.message}"


def _check_question(acting: Acting, query: str) -> None:
    """A job is one question about a population, and nothing else. Raises RequestRefused."""
    hub = acting.hub
    document = hub.documents.read(query, acting.about.shown)
    plan = make_plan(hub.schema, document, document.operation(None))
    if [node.name.value for node in plan.acts] != ["population"] or plan.roots:
        raise refused("BAD_VARIABLES", "`query` is to ask for `population`, and nothing else")


def _encode(projected: Projected, _: Sequence[Any], __: Mapping[str, str]) -> bytes:
    body: dict[str, Any] = {"data": projected.data}
    if projected.errors:
        body["errors"] = [error.formatted for error in projected.errors]
    return orjson.dumps(body)


def _shown(job: Job) -> shown.PopulationJob:
    return shown.PopulationJob(
        id=ID(job.id),
        state=shown.JobState(job.state),
        progress=job.watch.progress if job.state == "RUNNING" else 1.0,
        answer=job.answer,
        error=job.error,
    )


def _jobs(acting: Acting) -> Jobs:
    statistics = acting.hub.statistics
    if statistics is None or statistics.jobs is None:
        raise refused("NO_DELIVERIES", "this hub reads no deliveries in bulk")
    return statistics.jobs


async def _start(acting: Acting) -> shown.PopulationJob:
    given = acting.arguments
    return _shown(_jobs(acting).start(acting, given["query"], given.get("variables") or {}))


async def _job(acting: Acting) -> shown.PopulationJob:
    return _shown(_jobs(acting).of(acting.about.caller, acting.arguments["id"]))


async def _cancel(acting: Acting) -> shown.PopulationJob:
    jobs = _jobs(acting)
    job = jobs.of(acting.about.caller, acting.arguments["id"])
    await jobs.cancel(job)
    return _shown(job)


JOBS: Mapping[str, Callable[[Acting], Awaitable[Any]]] = {
    "startPopulation": _start,
    "populationJob": _job,
    "cancelPopulation": _cancel,
}
"""What is done by each field."""
