"""The pytest plugin: `pytest --source NAME` examines a source, one test a check.

Works in any repository that has declarations: `--declarations` names their folder, else `hub.toml`
does. It collects nothing else in such a run, and nothing at all without `--source`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sources.conformance.checks import Check
    from sources.conformance.setting import Setting
    from sources.declaration import Source


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--source`, which may be given again, and `--declarations`."""
    group = parser.getgroup("welfare-hub", "the conformance suite of sources")
    group.addoption("--source", action="append", default=[], help="examine this source")
    group.addoption("--declarations", type=Path, help="folder of declarations")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> bool | None:
    """Collect the checks of the sources named, and nothing else."""
    names = session.config.getoption("--source")
    if not names:
        return None
    # Nothing of the hub is imported in a run that does not ask for it.
    from hub.kit.sources import read  # noqa: PLC0415
    from sources.conformance.checks import CHECKS  # noqa: PLC0415
    from sources.fault import FaultyConfiguration  # noqa: PLC0415

    place = _workplace(session.config)
    items: list[pytest.Item] = []
    for name in names:
        try:
            source = read(place, name, environment=False)
        except FaultyConfiguration as error:
            raise pytest.UsageError(str(error)) from error
        examined = Examined.from_parent(session, name=name, source=source, place=place)
        items += [Examination.from_parent(examined, name=one.name, check=one) for one in CHECKS]
    session.items = items
    session.testscollected = len(items)
    session.config.hook.pytest_collection_modifyitems(
        session=session, config=session.config, items=items
    )
    session.config.hook.pytest_collection_finish(session=session)
    return True


def _workplace(config: pytest.Config) -> Any:
    from hub.config import read_settings  # noqa: PLC0415
    from hub.kit.sources import Workplace, workplace  # noqa: PLC0415

    folder = Path(tempfile.gettempdir()) / "welfare-hub-conformance"
    declarations, settings = config.getoption("--declarations"), config.rootpath / "hub.toml"
    if declarations is not None and not settings.is_file():
        return Workplace(declarations.resolve(), folder)
    return workplace(read_settings(settings), folder, declarations)


class Examined(pytest.Collector):
    """One source: its stand-in and its adapter are open while its checks run."""

    def __init__(self, *, source: Source, place: Any, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.source = source
        self._place = place
        self._runner: asyncio.Runner | None = None
        self._stack = AsyncExitStack()

    def collect(self) -> Iterable[pytest.Item]:
        """What is collected is made by the hook."""
        return []

    def setup(self) -> None:
        """Start the stand-in and open the adapter."""
        self._runner = asyncio.Runner()
        self._setting = self._runner.run(self._open())
        self.addfinalizer(self._close)

    async def _open(self) -> Setting:
        from hub.kit.sources import stand_in  # noqa: PLC0415
        from sources.conformance.run import setting  # noqa: PLC0415

        found = await self._stack.enter_async_context(stand_in(self._place, self.source))
        adapter = self._place.adapters[self.source.adapter]
        return await self._stack.enter_async_context(setting(self.source, adapter, found))

    def _close(self) -> None:
        if self._runner is not None:
            self._runner.run(self._stack.aclose())
            self._runner.close()

    def examine(self, check: Check) -> Any:
        """Run one check in the loop that the adapter was opened in."""
        from sources.conformance.run import examine  # noqa: PLC0415

        if self._runner is None:
            raise RuntimeError("the source is not set up")
        return self._runner.run(examine(check, self._setting))


class Failure(Exception):
    """A check failed, for the reason given."""


class Examination(pytest.Item):
    """One check of one source."""

    parent: Examined

    def __init__(self, *, check: Check, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._check = check

    def runtest(self) -> None:
        """Run the check; one that does not apply is skipped, with its reason."""
        result = self.parent.examine(self._check)
        if result.verdict == "not applicable":
            pytest.skip(result.reason)
        if result.verdict != "passed":
            raise Failure(result.reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason alone."""
        if isinstance(excinfo.value, Failure):
            return f"{self._check.shows} ({self._check.grade}): {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The declaration's file, and the check."""
        return self.path, None, f"{self.parent.name}: {self.name}"
