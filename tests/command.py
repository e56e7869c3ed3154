"""Runs `hub` within the process of the tests: starting one each time would take too long."""

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
