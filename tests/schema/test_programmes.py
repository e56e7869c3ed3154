"""The list of programmes: complete, each with its mark and source, every fault told at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from schema.programmes import programmes, read_programmes

GOOD = """
id = "WLF00000001"
name_ko = "급여"
name_en = "Benefit"
ministry = "MOHW"
target = "household"

[criterion]
text = "none"
mark = "K"
source = "a list"
"""


def test_the_list_has_its_231_programmes_and_their_marks() -> None:
    listed = programmes().listed
    assert len(listed) == len({one.id for one in listed}) == 231
    assert all(one.id.startswith("WLF") and len(one.id) == 11 for one in listed)
    assert Counter(one.criterion.mark for one in listed) == {"K": 214, "S": 17}
    ministries = Counter(one.ministry for one in listed)
    assert (ministries["MOHW"], ministries["MGEF"], ministries["local"]) == (73, 23, 5)


def test_the_four_of_basic_livelihood_have_their_names() -> None:
    found = {
        code: (one.id, one.name_ko, one.name_en, one.criterion.mark)
        for code, one in programmes().by_code.items()
        if code in ("livelihood", "medical-aid", "housing", "education")
    }
    assert found == {
        "livelihood": ("WLF00001132", "생계급여", "Livelihood benefit", "S"),
        "medical-aid": ("WLF00000102", "의료급여", "Medical aid", "S"),
        "housing": ("WLF00003201", "주거급여", "Housing benefit", "S"),
        "education": ("WLF00001089", "교육급여", "Education benefit", "S"),
    }


def test_a_programme_is_found_by_its_code_and_by_its_id() -> None:
    by_code, by_id = programmes().find("basic-pension"), programmes().find("WLF00001164")
    assert by_code is not None
    assert by_code is by_id
    assert programmes().find("basic pension") is None


def test_a_status_is_found_and_not_listed() -> None:
    near_poor = programmes().find("near-poor")
    assert near_poor is not None
    assert near_poor not in programmes().listed


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "again.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_text(
        GOOD.replace('"K"', '"X"').replace("target", "for").replace("0001", "0002")
    )
    (tmp_path / "Worse.toml").write_text("id = ")
    found, faults = read_programmes(tmp_path)
    assert set(found.by_code) == {"good", "again"}
    assert [str(fault) for fault in faults] == [
        "Worse.toml: the file: is not TOML: Invalid value (at end of document);"
        " correct the line named",
        "bad.toml: target: `target` is missing; add it",
        "bad.toml: criterion.mark (line 10): input should be 'S' or 'K'; correct the value",
        "bad.toml: for (line 6): unknown key `for`; remove it or correct its spelling",
        "good.toml: id: `WLF00000001` is the id of `again.toml` too; correct one of the two",
    ]


def test_a_file_whose_name_is_no_code_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "Basic Pension.toml").write_text(GOOD)
    _, faults = read_programmes(tmp_path)
    assert [str(fault) for fault in faults] == [
        "Basic Pension.toml: the file: its name is no code;"
        " use lower case letters, digits and hyphens"
    ]


def test_a_folder_without_a_programme_is_a_fault(tmp_path: Path) -> None:
    _, faults = read_programmes(tmp_path)
    assert [fault.message for fault in faults] == ["no programme"]


def test_hub_programmes_prints_them_as_a_table_and_as_json() -> None:
    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "hub.cli", "programmes", *arguments],
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    listed = json.loads(run("--json"))
    assert len(listed) == 231
    assert listed[0]["code"] == "farm-savings"
    table = run()
    assert "231 programmes" in table
    assert "생계급여" in table
