"""An enabled agency that nobody wrote by hand is asked in the demo like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.demo import Demo


def test_the_demo_stands_in_for_every_enabled_agency(
    start_demo: Callable[..., Demo], tmp_path: Path
) -> None:
    settings = tmp_path / "hub.toml"
    text = Path("hub.toml").read_text().replace('"benefits"]', '"benefits", "nationalPension"]')
    settings.write_text(text)
    demo = start_demo("--config", str(settings))
    answer = demo.ask(
        "query($id: ID!) { recipient(id: $id) { nationalPension { provenance { state } } } }",
        {"id": demo.recipient},
    )
    assert answer.codes == []
    pension = answer.body["data"]["recipient"]["nationalPension"]
    assert pension["provenance"]["state"] == "KNOWN"
    control = demo.info["sources"]["nationalPension"]["control"]
    calls = httpx.get(f"{control}/calls", trust_env=False).json()
    # The demo's own question asks it too, for what counts as income.
    assert calls[-1]["keys"] == [demo.recipient]
    assert calls[-1]["purpose"] == "basic-livelihood.application"
    assert json.loads((demo.folder / "info.json").read_text())["sources"].keys() >= {"tax"}
