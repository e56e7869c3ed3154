"""The demo: simulated agencies, a hub over them, and one question asked over HTTP.

Keys, tokens and people are made here and hold nowhere else. The agencies are a model, labelled
as such, and run as processes of their own; the hub reaches them as it would any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from hub.app import adapters_of, application, read_plans
from hub.config import Settings, read_settings
from hub.issuer import AUDIENCE, ISSUER, make_keys, token_for
from hub.kit.sources import own_stand_ins
from hub.persons import TITLES, DemoFailed
from hub.querylog import schema
from hub.querylog.engine import engine_of
from hub.querylog.store import LogUnavailable
from sources.standins import StandInFailed, Wanted, reached, stand_ins

SAMPLE = """\
query Sample($id: ID!) {
  recipient(id: $id) {
    id
    identity { name birthDate sex nationality address district province status }
    household {
      id
      type
      relationToHead
      members { id identity { name birthDate } household { relationToHead } }
    }
    income {
      components {
        kind amount period perYear source asOf differs
        reports { source item amount period }
      }
      totals { kind amount complete }
      total
      complete
      missing { item source state }
    }
    assets {
      components { kind amount source asOf provenance { state fetchedAt } }
      totals { kind amount complete }
      total
      complete
    }
    employment {
      insured
      insuredSince
      jobs { employer occupation contract weeklyHours start end monthlyPay }
    }
    benefits { receipts { programme office month amount state } }
    applications { reference programme office applied status decided }
    tax {
      assessedYear earnedIncome businessIncome incomeTax
      withholdings { payer kind paid withheld }
      provenance { source state asOf fetchedAt cacheAge }
    }
    labour { insuredDays unemploymentBenefits { from until dailyAmount state } }
    property {
      land { parcel category area officialPrice }
      buildings { number use area officialPrice }
      leases { role deposit monthlyRent }
      vehicles { model year engineSize value }
    }
  }
}
"""
"""The question that the demo asks: every source, unified parts and agencies' own views."""

_OWN = ("resident", "tax", "labour", "property", "benefits", "officials")
"""The agencies that are written by hand, each a process of its own."""
PURPOSE = "basic-livelihood.application"
STARTING_SECONDS = 600
"""An agency that loads a large population for the first time takes its time."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks of the demo."""

    folder: Path
    port: int
    people: int
    seed: int
    once: bool
    info: Path | None
    config: Path


def run(options: Options) -> int:
    """Run the demo until it is stopped; the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        loop = uvicorn.Config("", log_config=None).get_loop_factory()
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(_demo(options))
    except KeyboardInterrupt:
        _say("\nstopped")
    except (DemoFailed, LogUnavailable) as error:
        _say(f"the demo failed: {error}")
        return 1
    return 0


async def _demo(options: Options) -> None:
    folder = options.folder.resolve()
    with _alone(folder):
        await _demo_in(folder, options)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder, which is let go however the process ends. Raises DemoFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"a demo runs in `{folder.name}` already: stop it, or give another --folder"
            raise DemoFailed(message) from error
        yield


async def _demo_in(folder: Path, options: Options) -> None:
    listener = _listen(options.port)
    await _generate(folder, options)
    sample = json.loads((folder / "population" / "manifest.json").read_text())["sample"]
    make_keys(folder, sample)
    async with _agencies(folder) as agencies:
        _configure(folder, agencies)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        os.environ["HUB_SERVER_URL"] = address
        settings = read_settings(options.config)
        delivering = await _deliver(folder, settings.sources.catalogue)
        await _upgrade(settings.log.store)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(_stop, [delivering])
            others = await stack.enter_async_context(_others(folder, settings))
            app = application(settings, read_plans(settings))
            server = await stack.enter_async_context(_serving(app, listener))
            tokens = {name: token_for(folder, name) for name in TITLES}
            info = _info(address, tokens, sample, agencies | others, settings.log.store)
            answer = await _ask(info)
            if await delivering.wait() != 0:
                raise DemoFailed("the agencies could not deliver in bulk; see the line above")
            (folder / "console.json").write_text(json.dumps(_console(info)))
            if options.info is not None:
                options.info.write_text(json.dumps(info, indent=2) + "\n")
            if options.once:
                print(json.dumps(answer, indent=2, ensure_ascii=False))
                return
            _show(address, info, answer)
            await server


async def _upgrade(address: str) -> None:
    """Bring a log that an earlier demo left to this hub's tables, as `hub log migrate` does."""
    engine = engine_of(address)
    try:
        await schema.upgrade(engine)
    finally:
        await engine.dispose()


def _listen(port: int) -> socket.socket:
    # Named as TCP, or asyncio would not turn off the waiting for more to send (TCP_NODELAY).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise DemoFailed(f"port {port} is in use: choose another with PORT=") from error
    return listener


async def _generate(folder: Path, options: Options) -> None:
    """Make the population in a process of its own; it is kept for the next start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sources.simulator", "generate"),
        *("--people", str(options.people), "--seed", str(options.seed)),
        *("--into", str(folder / "population")),
        stdout=sys.stderr.fileno(),
    )
    if await process.wait() != 0:
        raise DemoFailed("the population could not be made; see the line above")


async def _deliver(folder: Path, declarations: Path) -> asyncio.subprocess.Process:
    """Have the agencies deliver in bulk while all else starts; it is kept for the next start."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sources.simulator", "bulk", "--declarations", str(declarations)),
        *("--population", str(folder / "population"), "--into", str(folder / "deliveries")),
        stdin=asyncio.subprocess.PIPE,
        stdout=sys.stderr.fileno(),
    )


@contextlib.asynccontextmanager
async def _agencies(folder: Path) -> AsyncIterator[dict[str, dict[str, str]]]:
    """Every simulated agency in a process of its own, stopped on leaving.

    Each stops by itself when this process ends, however it ends: its standard input closes.
    """
    _say("starting the agencies")
    secret = {name: secrets.token_urlsafe(24) for name in _OWN}
    processes = {
        name: await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sources.simulator", "serve", name, "--stop-with-stdin"),
            *("--population", str(folder / "population"), "--run", str(folder / "run")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "SIMULATOR_TOKEN": secret[name]},
            start_new_session=True,
        )
        for name in _OWN
    }
    try:
        agencies = {}
        for name, process in processes.items():
            agencies[name] = {**await _ready(name, process), "token": secret[name]}
        yield agencies
    finally:
        await asyncio.shield(_stop(processes.values()))


@contextlib.asynccontextmanager
async def _others(folder: Path, settings: Settings) -> AsyncIterator[dict[str, dict[str, str]]]:
    """Stand-ins for the other enabled agencies, but for those that the environment leads to."""
    declarations, enabled = settings.sources.catalogue, settings.sources.enabled
    there = reached(declarations, enabled)
    names = [name for name in enabled if name not in (*_OWN, *there)]
    if not names:
        yield {}
        return
    _say(f"starting stand-ins for {len(names)} more")
    own = own_stand_ins(adapters_of(settings)[0])
    wanted = Wanted(names, declarations, folder / "population", folder / "run", own=own)
    try:
        async with stand_ins(wanted) as found:
            for one in found.values():
                os.environ |= one.environment
            yield {
                name: {"access": str(one.access), "control": one.control}
                for name, one in found.items()
            }
    except StandInFailed as error:
        raise DemoFailed(str(error)) from error


async def _ready(name: str, process: asyncio.subprocess.Process) -> dict[str, str]:
    if process.stdout is None:
        raise DemoFailed(f"the agency `{name}` has no standard output")
    try:
        async with asyncio.timeout(STARTING_SECONDS):
            line = await process.stdout.readline()
    except TimeoutError as error:
        raise DemoFailed(f"the agency `{name}` did not start in time") from error
    if not line:
        raise DemoFailed(f"the agency `{name}` did not start; see the line above")
    ready: dict[str, str] = json.loads(line)
    return ready


async def _stop(processes: Any) -> None:
    for process in processes:
        if process.returncode is None:
            process.stdin.close()
            process.terminate()
    for process in processes:
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _configure(folder: Path, agencies: Mapping[str, Mapping[str, str]]) -> None:
    """Tell the hub where the agencies are, as an operator would: through the environment."""
    for name, agency in agencies.items():
        os.environ[f"{name.upper()}_URL"] = agency["url"]
        os.environ[f"{name.upper()}_TOKEN"] = agency["token"]
        os.environ[f"{name.upper()}_DELIVERIES"] = str(folder / "deliveries" / name)
    os.environ |= {
        "HUB_REVIEWS_FOLDER": str(folder / "reviews"),
        "HUB_LOG_STORE": f"sqlite+aiosqlite:///{folder / 'log.db'}",
        "HUB_LOG_PSEUDONYM_KEY": str(folder / "keys" / "pseudonym.key"),
        "HUB_LOG_SEALING_KEY": str(folder / "keys" / "sealing.key"),
        "HUB_LOG_SIGNING_KEY": str(folder / "keys" / "signing.key"),
        "HUB_ISSUER_ISSUER": ISSUER,
        "HUB_ISSUER_AUDIENCE": AUDIENCE,
        "HUB_ISSUER_KEYS": str(folder / "keys" / "issuer.jwks.json"),
        "HUB_CONSOLE_DEMO": str(folder / "console.json"),
        "HUB_STATISTICS_DRAWN": str(folder / "drawn"),
    }


@contextlib.asynccontextmanager
async def _serving(app: Any, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """The hub, serving on the listener until it is stopped or left."""
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, proxy_headers=False
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # uvicorn tells of its start by an attribute only
        if task.done():
            await task
            raise DemoFailed("the hub did not start; see the lines above")
        yield task
    finally:
        server.should_exit = True
        await asyncio.shield(task)


def _info(
    address: str,
    tokens: Mapping[str, str],
    sample: Mapping[str, Any],
    agencies: Mapping[str, Mapping[str, str]],
    store: str,
) -> dict[str, Any]:
    return {
        "graphql": f"{address}/graphql",
        "tokens": dict(tokens),
        "sample": {
            "recipient": sample["recipient"],
            "case": sample["case"],
            "purpose": PURPOSE,
            "query": SAMPLE,
        },
        "sources": {
            name: {key: value for key, value in agency.items() if key != "token"}
            for name, agency in agencies.items()
        },
        "log": {"store": store},
    }


def _console(info: Mapping[str, Any]) -> dict[str, Any]:
    """What the page offers in the demo: a choice of persons, and the sample question."""
    cases = dict.fromkeys(("caseworker", "caseworker2"), info["sample"]["case"])
    purposes = {
        "caseworker": PURPOSE,
        "caseworker2": PURPOSE,
        "supervisor": "oversight",
        "policy": "policy-statistics",
        "auditor": "audit",
        "officer": "audit",
        "recipient": "subject-access",
    }
    return {
        "personas": [
            {
                "name": name,
                "title": title,
                "token": info["tokens"][name],
                "purpose": purposes[name],
                "case": cases.get(name, ""),
            }
            for name, title in TITLES.items()
        ],
        "query": info["sample"]["query"],
        "variables": {"id": info["sample"]["recipient"]},
    }


async def _ask(info: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the sample question over HTTP. Raises DemoFailed where it is not fully answered."""
    sample = info["sample"]
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        response = await client.post(
            info["graphql"],
            json={"query": sample["query"], "variables": {"id": sample["recipient"]}},
            headers={
                "Authorization": f"Bearer {info['tokens']['caseworker']}",
                "Hub-Purpose": sample["purpose"],
                "Hub-Case": sample["case"],
            },
        )
    if not response.headers.get("content-type", "").startswith("application/json"):
        raise DemoFailed(f"the hub answered {response.status_code}; see the lines above")
    answer: dict[str, Any] = response.json()
    if response.status_code != 200 or "errors" in answer:
        reasons = "; ".join(error["message"] for error in answer.get("errors", []))
        raise DemoFailed(f"the sample query was not answered ({response.status_code}): {reasons}")
    return answer


def _show(address: str, info: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    sample = info["sample"]
    print(f"The question, asked as a caseworker for {sample['purpose']}, case {sample['case']}:\n")
    print(sample["query"])
    print("The answer:\n")
    print(_compact(answer))
    print(_summary(answer))
    body = json.dumps(
        {
            "query": "query($id: ID!) { recipient(id: $id) { identity { name } "
            "income { total complete } assets { total } } }",
            "variables": {"id": sample["recipient"]},
        }
    )
    print(
        f"""
GraphiQL: {address}/
Ask by hand:

curl -s {info["graphql"]} \\
  -H "Authorization: Bearer $(.venv/bin/hub token --as caseworker)" \\
  -H 'Hub-Purpose: {sample["purpose"]}' -H 'Hub-Case: {sample["case"]}' \\
  -H 'Content-Type: application/json' \\
  -d '{body}'

Stop with Ctrl-C.""",
        flush=True,
    )


def _compact(value: Any, indent: str = "") -> str:
    """JSON for people: what holds no further object stands on one line."""
    inner = indent + "  "
    if isinstance(value, dict) and any(isinstance(entry, dict | list) for entry in value.values()):
        rows = [f"{inner}{json.dumps(key)}: {_compact(value[key], inner)}" for key in value]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        rows = [inner + _compact(entry, inner) for entry in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _summary(answer: Mapping[str, Any]) -> str:
    recipient = answer["data"]["recipient"]
    calls = answer["extensions"]["sources"]
    took = sum(
        max(call["milliseconds"] for call in calls if call["round"] == name)
        for name in {call["round"] for call in calls}
    )
    rounds, agencies = len({call["round"] for call in calls}), {call["source"] for call in calls}
    return f"""
{recipient["identity"]["name"]}, a household of {len(recipient["household"]["members"])}:
income {recipient["income"]["total"]:,} won a year, assets {recipient["assets"]["total"]:,} won.
{len(agencies)} agencies were asked live: {len(calls)} calls in {rounds} rounds, {took:.0f} ms."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
