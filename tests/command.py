"""Runs `hub` within the tests' own process: to start one each time would take most of the time."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

from hub.cli import main


def hub(*arguments: str) -> CompletedProcess[str]:
    """The exit code and what was printed."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        code = main(arguments)
    return CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())
