"""Runs the scripts of this folder with Node and reads the JSON that they print.

Node comes into the virtual environment as a wheel; its modules and Chromium are put here by
`make test` where it may. What is missing skips a test, and `.ci/run` fails for it.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent
_INSTALLED = _HERE / "node_modules" / ".installed"
_NODE = Path(sys.executable).with_name("node")


def _need_node() -> None:
    """Skip the test when Node or its modules are missing."""
    if not _NODE.exists():
        pytest.skip(f"waits for Node at {_NODE}: `make .venv/.test` installs its wheel")
    if not _INSTALLED.exists():
        pytest.skip(
            "waits for tests/node/node_modules: anyone who reaches the npm registry can run "
            "`make tests/node/node_modules/.installed`"
        )


def run_node(script: str, *arguments: str, seconds: float) -> Any:
    """What `script` prints, read as JSON. Skips the test when Node or its modules are missing."""
    _need_node()
    done = subprocess.run(
        [_NODE, _HERE / script, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{script} failed:\n{done.stderr}\n{done.stdout}"
    return json.loads(done.stdout)


@contextlib.contextmanager
def serving_node(script: str, *arguments: str) -> Iterator[Any]:
    """Run `script` until left; what it prints first, as JSON, says that it serves.

    It ends when its standard input does. Skips the test when Node or its modules are missing.
    """
    _need_node()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [_NODE, _HERE / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            errors.seek(0)
            pytest.fail(f"{script} did not start:\n{errors.read()}")
        yield json.loads(line)


def chromium() -> str:
    """The path of Chromium: `CHROMIUM`, else the one on the path. Skips the test without one."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path or not Path(path).exists():
        pytest.skip(
            "waits for Chromium: root can run `apt-get install chromium`, anyone else can set "
            "CHROMIUM=/path/to/chromium"
        )
    return path
