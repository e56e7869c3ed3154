"""The list of programmes: complete, each with its mark and source, every fault told at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from schema.programmes import Programme, programmes, read_programmes

GOOD = """
[programme.WLF00000001]
key = "benefit"
name_ko = "급여"
name_en = "Benefit"
ministry = "MOHW"
target = "household"
criterion = "none"
mark = "K"
"""


def test_the_list_has_its_231_programmes_and_their_marks() -> None:
    listed = programmes().listed
    assert len(listed) == 231
    assert all(len(code) == 11 for code in listed)
    assert Counter(one.mark for one in listed.values()) == {"K": 214, "S": 17}
    ministries = Counter(one.ministry for one in listed.values())
    assert (ministries["MOHW"], ministries["MGEF"], ministries["local"]) == (73, 23, 5)


def test_the_four_of_basic_livelihood_have_their_names() -> None:
    wanted = ("livelihood", "medical-aid", "housing", "education")
    found = {one.key: (code, one.name_ko, one.name_en, one.mark) for code, one in items(wanted)}
    assert found == {
        "livelihood": ("WLF00001132", "생계급여", "Livelihood benefit", "S"),
        "medical-aid": ("WLF00000102", "의료급여", "Medical aid", "S"),
        "housing": ("WLF00003201", "주거급여", "Housing benefit", "S"),
        "education": ("WLF00001089", "교육급여", "Education benefit", "S"),
    }


def items(keys: Iterable[str]) -> Iterator[tuple[str, Programme]]:
    for key in keys:
        code = programmes().find(key)
        assert code is not None
        yield code, programmes().by_id[code]


def test_a_programme_is_found_by_its_key_and_by_its_id() -> None:
    assert programmes().find("basic-pension") == "WLF00001164"
    assert programmes().find("WLF00001164") == "WLF00001164"
    assert programmes().find("basic pension") is None


def test_a_status_is_found_and_not_listed() -> None:
    assert programmes().find("near-poor") == "near-poor"
    assert "near-poor" not in programmes().listed


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "again.toml").write_text(GOOD)
    (tmp_path / "key.toml").write_text(GOOD.replace("0001", "0002"))
    bad = GOOD.replace('"K"', '"X"').replace("target", "for").replace('"benefit"', '"A Benefit"')
    (tmp_path / "bad.toml").write_text(bad.replace("0001", "0003"))
    (tmp_path / "Worse.toml").write_text("id = ")
    found, faults = read_programmes(tmp_path)
    assert set(found.by_id) == {"WLF00000001", "WLF00000002"}
    assert [str(fault) for fault in faults] == [
        "Worse.toml: the file: is not TOML: Invalid value (at end of document);"
        " correct the line named",
        "bad.toml: programme.WLF00000003.key (line 3): string should match pattern"
        " '^[a-z0-9]+(-[a-z0-9]+)*$'; correct the value",
        "bad.toml: programme.WLF00000003.target (line 2): `target` is missing; add it",
        "bad.toml: programme.WLF00000003.mark (line 9): input should be 'S' or 'K';"
        " correct the value",
        "good.toml: programme.WLF00000001: `WLF00000001` stands in again.toml already;"
        " leave one of the two out",
        "key.toml: programme.WLF00000002.key: `benefit` is the key of `WLF00000001` already;"
        " give it another",
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
    assert listed[0]["key"] == "farm-savings"
    table = run()
    assert "231 programmes" in table
    assert "생계급여" in table
