"""A fixture shows how an agency writes, and tells of nobody."""

from __future__ import annotations

import json
from pathlib import Path

from hub.kit.fixture import fixture, keep, lacking
from hub.kit.trying import CONTEXT, Tried
from sources.adapter import Question
from sources.reading import read_catalogue
from sources.trace import Exchange

PERSON = "829020-1705151"


def test_every_value_is_made_in_the_shape_of_the_agencys(tmp_path: Path) -> None:
    catalogue, _ = read_catalogue(Path("sources/catalogue"), ["labour"], "labour", "labour")
    source = catalogue.sources["labour"]
    items = source.items[:3]
    answer = {
        "DATA": [
            {
                "RRNO": PERSON,
                "BASE_YMD": "20261031",
                "INSR_YN": "Y",
                "ACQ_YMD": "20190509",
                "JOB_LIST": [{"BPLC_NM": "주식회사 가온패션", "MM_PAY": "3,141,500", "WK_HR": 40}],
                "SPOUSE": "홍길동",
                "홍길동": None,
            }
        ]
    }
    exchange = Exchange(
        line=f"POST http://127.0.0.1:1/eims/inq?id={PERSON}",
        headers={"Authorization": "Bearer secret"},
        body=json.dumps({"RRNO_LIST": [PERSON], "ITEM_LIST": ["INSR_YN"]}).encode(),
        status="200",
        answer_headers={"Set-Cookie": "secret"},
        answer=json.dumps(answer).encode(),
    )
    tried = Tried(Question("person", (PERSON,), items, CONTEXT), [exchange], None, None)
    kept = fixture(source, tried, made_up=False)
    (entry,) = kept["exchanges"]
    assert entry["request"]["body"] == {"RRNO_LIST": ["person-1"], "ITEM_LIST": ["INSR_YN"]}
    (record,) = entry["response"]["body"]["DATA"]
    assert record == {
        "RRNO": "person-1",
        "BASE_YMD": "20000101",
        "INSR_YN": "Y",
        "ACQ_YMD": "20000101",
        "JOB_LIST": [{"BPLC_NM": "text", "MM_PAY": "1000", "WK_HR": 1000}],
        "undeclared": None,
    }
    text = keep(tmp_path, source, kept).read_text()
    assert not [word for word in (PERSON, "가온", "홍길동", "secret", "141") if word in text]
    assert lacking(source, tmp_path)[0] == source.items[3].name
