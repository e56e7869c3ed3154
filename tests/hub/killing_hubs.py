"""`python -m tests.hub.killing_hubs`: two hubs on one PostgreSQL, one killed many times.

Prints what it came to as JSON; fails where an answer has no OUTCOME or the log does not verify.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from tests.hub.hub_processes import kill_again_and_again, made
from tests.sources.postgres import running


async def main(kills: int) -> None:
    with tempfile.TemporaryDirectory(prefix="killing-") as folder, made(Path(folder)) as world:
        async with running() as server:
            figures = await kill_again_and_again(world, server.url, kills, between=3)
    print(json.dumps(dataclasses.asdict(figures)))  # noqa: T201 - what it is for


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
