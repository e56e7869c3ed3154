"""A real hub that kills itself (SIGKILL) at a named step of an operation, while others go on.

Reads `STEP COUNT PORT STORE` from standard input, a hub each, which dies at that step of the
operation that comes there as the COUNT-th; prints the operation's id. Forked from one process, so
that declarations and schema are read once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import uvicorn

import hub.app
import hub.querylog.group
from hub.app import application, read_plans
from hub.config import read_settings
from hub.gather import Ask, Gathered, Gatherer
from hub.querylog.group import Written, _write_sqlite
from hub.querylog.sealing import Keep
from hub.querylog.store import RECIPIENTS, Store
from sources.adapter import Context

STEPS = (
    "before the INTENT",
    "the INTENT written, not committed",
    "the INTENT durable",
    "before the case register is asked",
    "the case register has answered",
    "before the agencies are asked",
    "the agencies have answered",
    "before the OUTCOME",
    "the OUTCOME written, not committed",
    "the OUTCOME durable",
)


class Death:
    """Comes at a step, to the operation that is there as the so manyth."""

    def __init__(self, step: str, count: int) -> None:
        self._step = step
        self._left = count

    def at(self, step: str, operation: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                os.write(1, f"{operation}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)


def dying(death: Death) -> tuple[type[Store], type[Gatherer], Any]:
    """A store, a gatherer and a way to write a group that come by every step."""

    class DyingStore(Store):
        async def append(self, record: Mapping[str, Any], keep: Keep = RECIPIENTS) -> int:
            kind, operation = record["kind"], str(record.get("operation"))
            death.at(f"before the {kind}", operation)
            place = await super().append(record, keep)
            death.at(f"the {kind} durable", operation)
            return place

    class DyingGatherer(Gatherer):
        async def round(self, name: str, asks: Sequence[Ask], context: Context) -> Gathered:
            death.at("before the case register is asked", context.operation)
            found = await super().round(name, asks, context)
            death.at("the case register has answered", context.operation)
            return found

        async def data(self, number: int, asks: Sequence[Ask], context: Context) -> Gathered:
            death.at("before the agencies are asked", context.operation)
            found = await super().data(number, asks, context)
            death.at("the agencies have answered", context.operation)
            return found

    def dying_write(connection: Any, group: Sequence[Written], *more: Any) -> int:
        return _write_sqlite(Dying(connection, group), group, *more)  # type: ignore[arg-type]

    class Dying:
        """A connection whose commit comes by the step before it."""

        def __init__(self, connection: Any, group: Sequence[Written]) -> None:
            self._connection = connection
            self._group = group

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def commit(self) -> None:
            for one in self._group:
                if one.row.operation is not None:
                    identity = str(UUID(bytes=one.row.operation))
                    death.at(f"the {one.row.kind} written, not committed", identity)
            self._connection.commit()

    return DyingStore, DyingGatherer, dying_write


def serve(config: Path, port: int, store: str, death: Death) -> NoReturn:
    store_type, gatherer_type, dying_write = dying(death)
    vars(hub.app).update(Store=store_type, Gatherer=gatherer_type)
    vars(hub.querylog.group).update(_write_sqlite=dying_write)
    os.environ["HUB_LOG_STORE"] = store
    app = application(read_settings(config), PLANS)
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)
    raise SystemExit("it did not die")


if __name__ == "__main__":
    CONFIG = Path(sys.argv[1])
    PLANS = read_plans(read_settings(CONFIG))
    print("ready", flush=True)  # noqa: T201 - to whoever started it
    for line in sys.stdin:
        number, count, port, store = line.split()
        child = os.fork()
        if not child:
            serve(CONFIG, int(port), store, Death(STEPS[int(number)], int(count)))
        os.waitpid(child, 0)
        print("dead", flush=True)  # noqa: T201 - the same
