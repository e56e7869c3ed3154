"""The page on adding a source tells of a declaration that is small, good and graded gold."""

from __future__ import annotations

import re
from pathlib import Path

from sources.conformance.run import grade
from tests.conformance.conftest import Examine

PAGE = Path("docs/add-a-source.md").read_text()


async def test_the_example_of_the_page_reaches_gold_in_forty_lines(
    examine: Examine, tmp_path: Path
) -> None:
    found = re.search(r"in the end:\n\n```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) <= 40
    (tmp_path / "pension.toml").write_text(found[1])
    results = await examine("pension", folder=tmp_path)
    assert [one.reason for one in results.values() if one.verdict == "failed"] == []
    assert grade(list(results.values())) == "gold"
