"""The life of an agency's process: starting again, refusing to start, leaving nothing behind."""

import signal
import time
from pathlib import Path

import httpx
import pytest

from sources.simulator.cli import main
from tests.simulator.processes import Running, await_ready, finish, launch


def postgres_of(directory: Path) -> int:
    """The process number in the server's own lock file."""
    return int((directory / "pg" / "postmaster.pid").read_text("utf-8").split("\n")[0])


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended but was not yet waited for does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return state.rpartition(") ")[2][0] != "Z"


def gone(process: int) -> bool:
    """Whether a process ends within five seconds."""
    for _ in range(100):
        if not alive(process):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def run(run_directory: Path) -> Path:
    """A run directory of the test's own, where another user's database can pass."""
    directory = run_directory / f"own-{time.monotonic_ns()}"
    directory.mkdir()
    return directory


def test_a_database_ends_with_stdin_and_is_reused_by_the_next_start(
    village: Path, run: Path
) -> None:
    first = await_ready(launch("property", village, run))
    postgres = postgres_of(run / "property")
    assert alive(postgres)
    assert finish(first.process) == 0
    assert gone(postgres)
    loaded = (run / "property" / "loaded.json").stat().st_mtime_ns
    start = time.monotonic()
    second = await_ready(launch("property", village, run, token="another"))
    assert time.monotonic() - start < 15
    assert second.url.startswith("postgresql+asyncpg://hub_reader:another@127.0.0.1:")
    assert (run / "property" / "loaded.json").stat().st_mtime_ns == loaded
    # Killed outright, the agency cannot stop its server: the kernel does.
    postgres = postgres_of(run / "property")
    second.process.kill()
    finish(second.process)
    third = await_ready(launch("property", village, run))
    assert gone(postgres)
    assert finish(third.process) == 0


def test_a_database_that_is_being_served_is_left_alone(
    agencies: dict[str, Running],
    village: Path,
    run_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SIMULATOR_TOKEN", "t")
    arguments = ["--population", str(village), "--run", str(run_directory)]
    assert main(["serve", "property", *arguments]) == 1
    assert capsys.readouterr().err == (
        f"simulator: another process serves `{run_directory / 'property' / 'pg'}`; "
        "stop it first, or give another --run\n"
    )
    assert agencies["property"].process.poll() is None


def test_a_service_ends_with_a_signal_and_with_its_stdin(village: Path, run: Path) -> None:
    processes = [launch(name, village, run) for name in ("resident", "tax", "labour")]
    terminated, interrupted, ended = map(await_ready, processes)
    terminated.process.send_signal(signal.SIGTERM)
    interrupted.process.send_signal(signal.SIGINT)
    assert [one.process.wait(5) for one in (terminated, interrupted)] == [0, 0]
    assert [finish(one.process) for one in (terminated, interrupted, ended)] == [0, 0, 0]
    with pytest.raises(httpx.ConnectError):
        httpx.get(ended.url)


def failure(capsys: pytest.CaptureFixture[str], population: Path, run: Path, *more: str) -> str:
    """What a start that fails says, and it must say it in one line."""
    arguments = ["--population", str(population), "--run", str(run), *more]
    assert main(["serve", "tax", *arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    return line


def test_a_start_without_a_token_is_refused(
    village: Path, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SIMULATOR_TOKEN", raising=False)
    assert failure(capsys, village, run) == (
        "simulator: SIMULATOR_TOKEN is not set; give the token that callers must send"
    )


def test_a_start_without_a_population_says_how_to_make_one(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIMULATOR_TOKEN", "t")
    assert failure(capsys, run, run) == (
        f"simulator: `{run}` holds no complete population; make one with "
        f"`python -m sources.simulator generate --into {run}`"
    )


def test_a_port_in_use_is_told(
    agencies: dict[str, Running],
    village: Path,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SIMULATOR_TOKEN", "t")
    port = agencies["tax"].url.rpartition(":")[2]
    assert "address already in use" in failure(capsys, village, run, "--port", port).lower()


@pytest.mark.parametrize("command", [[], ["generate"], ["serve"]])
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: python -m sources.simulator" in capsys.readouterr().out
