"""Runs `hub` within the process of the tests: starting one each time would take too long."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest.mock import patch

from hub.cli import main
from tests.demo import Demo


def hub(*arguments: str) -> CompletedProcess[str]:
    """The exit code and what was printed."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        code = main(arguments)
    return CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def beside(demo: Demo, *arguments: str) -> CompletedProcess[str]:
    """Run `hub` beside a demo's hub, with the log and the keys that it has."""
    keys = {
        f"HUB_LOG_{name.upper()}_KEY": str(demo.folder / "keys" / f"{name}.key")
        for name in ("pseudonym", "sealing", "signing")
    }
    with patch.dict(os.environ, {"HUB_LOG_STORE": demo.info["log"]["store"], **keys}):
        return hub(*arguments)
