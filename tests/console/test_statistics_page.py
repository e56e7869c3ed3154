"""The page of policy teams: how it is served, and as a person meets it in headless Chromium."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

from tests.console.test_page import get
from tests.demo import Demo
from tests.node import chromium, run_node


def test_the_page_lets_nothing_in_from_elsewhere_and_no_style_but_its_own() -> None:
    page = get("/statistics")
    policy = page.headers["content-security-policy"].split("; ")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert {"default-src 'self'", "script-src 'self'", "style-src 'self'"} <= set(policy)
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "style=" not in page.text


def test_every_file_the_page_names_is_served_and_nothing_beside() -> None:
    named = re.findall(r'"(/statistics/assets/[^"]+)"', get("/statistics").text)
    assert {Path(name).suffix for name in named} == {".css", ".js"}
    assert [get(name).status_code for name in named] == [200] * len(named)
    assert get("/statistics/assets/index.html").status_code == 404
    assert get("/statistics/assets/..%2Fpage.py").status_code == 404


def test_a_policy_person_builds_a_question_and_sees_it_answered(demo: Demo, tmp_path: Path) -> None:
    address = urljoin(demo.info["graphql"], "/statistics")
    seen = run_node("statistics.mjs", address, chromium(), str(tmp_path), seconds=120)
    assert (seen["elsewhere"], seen["complaints"], seen["violations"]) == ([], [], [])
    assert seen["stored"] == []
    assert seen["title"] == "Statistics · Welfare hub"
    assert re.fullmatch(r"\d+ people", seen["count"])
    assert seen["head"][0] == "Province of the registered address (resident.province)"
    assert seen["head"][2].startswith("median: ")
    assert seen["rows"] == seen["bars"] >= 1
    assert seen["tiles"] == 17
    assert "National Tax Service, 2025-12-31" not in seen["deliveries"]
    assert any(line.endswith(", 2026-10-31") for line in seen["deliveries"])
    assert seen["caveats"] == 4
    assert 'benefits_receipts: {programme: {eq: "basic-pension"}}' in seen["graphql"]
    assert "Pensions by province" in seen["saved"]
    assert re.fullmatch(r"population-\d{4}-\d\d-\d\d\.csv", seen["file"])
    assert seen["firstLine"] == "resident.province,count,median property.buildings.officialPrice"
    assert "name groups, never anything of a person" in seen["refusal"]
    assert seen["patiently"] == {"slow": 1, "count": seen["count"]}
    assert seen["overflow"] <= 0
