"""A process that logs operations as a hub does, and prints each that it would answer."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import uuid

from hub.querylog.checkpoint import Checkpoints, LogKey
from hub.querylog.keeper import Keeper
from hub.querylog.note import Signer
from hub.querylog.store import LogUnavailable, Store
from tests.hub.querylog import SEALING_KEY, intent, outcome


async def main(address: str, key: str, at_once: int) -> None:
    signer = Signer.read(key)
    store = Store(address, 512, SEALING_KEY)
    await store.open()
    keeper = Keeper(store, Checkpoints(store.engine, signer, [LogKey(signer.verifier)]))
    await keeper.open()
    print("ready", flush=True)  # noqa: T201
    numbers = itertools.count(random.getrandbits(40))

    async def operate() -> None:
        for number in numbers:
            operation = str(uuid.uuid4())
            facts = {"operation": operation, "hub": store.run}
            try:
                await store.append(intent(number, **facts))
                await asyncio.sleep(random.random() * 0.01)
                await store.append(outcome(number, **facts))
            except LogUnavailable:
                await asyncio.sleep(0.1)
                continue
            print(operation, flush=True)  # noqa: T201 - its answers

    await asyncio.gather(*(operate() for _ in range(at_once)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
