"""A value as an agency writes it becomes a value of its declared type, absent, or broken."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.adapter import BROKEN, Record
from sources.client import _is_shallow, check_depth
from sources.declaration import Item, ItemType
from sources.record import WON_LIMIT, Decoder, Formats, decoder

PLAIN = Formats()
COMPACT = Formats(dates="YYYYMMDD", months="YYYYMM", money="text")
THOUSANDS = Formats(money="thousand-won")
TYPES: tuple[ItemType, ...] = get_args(ItemType)


def item(kind: ItemType, *path: str, codes: dict[str, str] | None = None) -> Item:
    return Item(
        name=".".join(("tax", *path)),
        source="tax",
        subject="person",
        path=path,
        wire=tuple(part.upper() for part in path),
        type=kind,
        description="A value",
        category="income",
        codes=codes or {},
    )


def decode(
    kind: ItemType, value: Any, formats: Formats = PLAIN, **codes: dict[str, str]
) -> tuple[Any, dict[str, int]]:
    """The value decoded, and the breaches counted."""
    breaches: dict[str, int] = {}
    made = decoder([item(kind, "pay", **codes)], formats)
    return made.record({"PAY": value}, None, breaches).values["pay"], breaches


GOOD: list[tuple[ItemType, Formats, Any, Any]] = [
    ("String", PLAIN, "김하나", "김하나"),
    ("String", PLAIN, "", ""),
    ("ID", PLAIN, "0012", "0012"),
    ("Int", PLAIN, 2**31 - 1, 2**31 - 1),
    ("Int", PLAIN, -(2**31), -(2**31)),
    ("Float", PLAIN, 59.5, 59.5),
    ("Float", PLAIN, 3, 3.0),
    ("Boolean", PLAIN, False, False),
    ("Date", PLAIN, "2024-02-29", datetime.date(2024, 2, 29)),
    ("Date", PLAIN, datetime.date(2024, 2, 29), datetime.date(2024, 2, 29)),
    ("Date", COMPACT, "20240229", datetime.date(2024, 2, 29)),
    ("Month", PLAIN, "2026-12", "2026-12"),
    ("Month", COMPACT, "202612", "2026-12"),
    ("Won", PLAIN, 0, 0),
    ("Won", PLAIN, 2**31, 2**31),
    ("Won", PLAIN, 10**18, 10**18),
    ("Won", PLAIN, -(10**18), -(10**18)),
    ("Won", THOUSANDS, 1_234, 1_234_000),
    ("Won", THOUSANDS, 10**15, 10**18),
    ("Won", THOUSANDS, -5, -5_000),
    ("Won", COMPACT, "0", 0),
    ("Won", COMPACT, "1234567", 1_234_567),
    ("Won", COMPACT, "1,234,567", 1_234_567),
    ("Won", COMPACT, "-1,234", -1_234),
    ("Won", COMPACT, "1000000000000000000", 10**18),
]


@pytest.mark.parametrize(("kind", "formats", "written", "value"), GOOD)
def test_a_value_is_read_as_its_agency_writes_it(
    kind: ItemType, formats: Formats, written: Any, value: Any
) -> None:
    decoded, breaches = decode(kind, written, formats)
    assert (decoded, type(decoded), breaches) == (value, type(value), {})


BAD: list[tuple[ItemType, Formats, Any]] = [
    ("String", PLAIN, 5),
    ("String", PLAIN, True),
    ("ID", PLAIN, 9001011234567),
    ("Int", PLAIN, 2**31),
    ("Int", PLAIN, -(2**31) - 1),
    ("Int", PLAIN, True),
    ("Int", PLAIN, 1.0),
    ("Int", PLAIN, "1"),
    ("Float", PLAIN, True),
    ("Float", PLAIN, "1.5"),
    ("Float", PLAIN, math.nan),
    ("Float", PLAIN, math.inf),
    ("Float", PLAIN, 10**400),
    ("Boolean", PLAIN, 1),
    ("Boolean", PLAIN, "true"),
    ("Date", PLAIN, "2026-02-30"),
    ("Date", PLAIN, "2026-2-3"),
    ("Date", PLAIN, "20260203"),
    ("Date", PLAIN, "2026-W05-1"),
    ("Date", PLAIN, "2026-02-03T00:00:00"),
    ("Date", PLAIN, "2026-02-03\n"),
    ("Date", PLAIN, "0000-01-01"),
    ("Date", PLAIN, 20260203),
    ("Date", PLAIN, datetime.datetime(2026, 2, 3, tzinfo=datetime.UTC)),
    ("Date", COMPACT, "20260230"),
    ("Date", COMPACT, "2026-02-03"),
    ("Month", PLAIN, "2026-13"),
    ("Month", PLAIN, "2026-00"),
    ("Month", PLAIN, "202601"),
    ("Month", PLAIN, "٢٠٢٦-01"),
    ("Month", COMPACT, "202613"),
    ("Month", COMPACT, "2026-01"),
    ("Month", COMPACT, "٢٠٢٦٠١"),
    ("Won", PLAIN, 10**18 + 1),
    ("Won", PLAIN, -(10**18) - 1),
    ("Won", PLAIN, True),
    ("Won", PLAIN, 1000.0),
    ("Won", PLAIN, "1000"),
    ("Won", PLAIN, {}),
    ("Won", THOUSANDS, 10**15 + 1),
    ("Won", THOUSANDS, False),
    ("Won", COMPACT, 1000),
    ("Won", COMPACT, ""),
    ("Won", COMPACT, "1,23"),
    ("Won", COMPACT, "1234,567"),
    ("Won", COMPACT, "12.5"),
    ("Won", COMPACT, " 12"),
    ("Won", COMPACT, "12\n"),
    ("Won", COMPACT, "--1"),
    ("Won", COMPACT, "١٢"),
    ("Won", COMPACT, "1000000000000000001"),
    ("Won", COMPACT, "9" * 5_000),
    ("Won", COMPACT, "9" + ",999" * 5_000),
]


@pytest.mark.parametrize(("kind", "formats", "written"), BAD)
def test_a_value_of_the_wrong_type_or_range_is_broken(
    kind: ItemType, formats: Formats, written: Any
) -> None:
    assert decode(kind, written, formats) == (BROKEN, {"wrong-type": 1})


@pytest.mark.parametrize("kind", TYPES)
def test_null_is_the_agency_saying_there_is_none(kind: ItemType) -> None:
    assert decode(kind, None) == (None, {})


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_that_is_not_there_is_broken_and_not_absent(kind: ItemType) -> None:
    breaches: dict[str, int] = {}
    record = decoder([item(kind, "pay")], PLAIN).record({}, None, breaches)
    assert (record.values, breaches) == ({"pay": BROKEN}, {"missing-item": 1})


SEX = {"1": "male", "2": "female"}
ANSWER = {"Y": "true", "N": "false"}


@pytest.mark.parametrize(
    ("kind", "codes", "written", "value"),
    [
        ("String", SEX, "2", "female"),
        ("Boolean", ANSWER, "Y", True),
        ("Boolean", ANSWER, "N", False),
        ("String", SEX, None, None),
        ("String", SEX, "3", BROKEN),
        ("String", SEX, 1, BROKEN),
        ("String", SEX, "male", BROKEN),
        ("Boolean", ANSWER, True, BROKEN),
        ("String", SEX, ["1"], BROKEN),
        ("String", SEX, {"1": "1"}, BROKEN),
    ],
)
def test_a_code_is_read_as_its_word_and_no_other_is_known(
    kind: ItemType, codes: dict[str, str], written: Any, value: Any
) -> None:
    assert decode(kind, written, codes=codes)[0] == value


COLUMNS = [item("Won", "wages", "amount"), item("String", "wages", "payer")]


def decode_rows(rows: Any) -> tuple[Any, dict[str, int]]:
    breaches: dict[str, int] = {}
    record = decoder(COLUMNS, PLAIN).record({"WAGES": rows}, None, breaches)
    return record.values["wages"], breaches


def test_the_rows_of_a_list_are_read_in_order() -> None:
    rows = [{"AMOUNT": 2, "PAYER": "나"}, {"AMOUNT": 1, "PAYER": None}]
    assert decode_rows(rows) == (
        [{"amount": 2, "payer": "나"}, {"amount": 1, "payer": None}],
        {},
    )


@pytest.mark.parametrize(("rows", "value"), [([], []), (None, None)])
def test_an_empty_list_and_no_list_differ(rows: Any, value: Any) -> None:
    assert decode_rows(rows) == (value, {})


@pytest.mark.parametrize("rows", [5, "AMOUNT", {"AMOUNT": 1}, [5], [None], [{}, []]])
def test_a_list_that_holds_no_rows_is_broken(rows: Any) -> None:
    assert decode_rows(rows) == (BROKEN, {"wrong-type": 1})


def test_a_list_that_is_not_there_is_broken() -> None:
    record = decoder(COLUMNS, PLAIN).record({}, None, {})
    assert record.values == {"wages": BROKEN}


def test_one_broken_column_costs_no_other() -> None:
    assert decode_rows([{"AMOUNT": "much", "PAYER": "나"}, {"AMOUNT": 1}]) == (
        [{"amount": BROKEN, "payer": "나"}, {"amount": 1, "payer": BROKEN}],
        {"wrong-type": 1, "missing-item": 1},
    )


def test_items_that_nobody_asked_for_are_counted_and_dropped() -> None:
    breaches: dict[str, int] = {}
    items = [item("Won", "pay"), *COLUMNS]
    raw = {"PAY": 1, "NAME": "x", "WAGES": [{"AMOUNT": 1, "PAYER": "x", "A": 1, "B": 2}]}
    record = decoder(items, PLAIN).record(raw, None, breaches)
    assert record.values == {"pay": 1, "wages": [{"amount": 1, "payer": "x"}]}
    assert breaches == {"extra-item": 3}


def test_the_item_for_there_being_a_record_asks_for_no_value() -> None:
    breaches: dict[str, int] = {}
    assert decoder([item("Boolean")], PLAIN).record({}, None, breaches) == Record({}, None)
    assert breaches == {}


@pytest.mark.parametrize(
    ("formats", "written", "day"),
    [
        (PLAIN, "2026-10-31", datetime.date(2026, 10, 31)),
        (COMPACT, "20261031", datetime.date(2026, 10, 31)),
        (PLAIN, None, None),
    ],
)
def test_the_day_a_record_is_of_is_read_as_dates_are(
    formats: Formats, written: Any, day: datetime.date | None
) -> None:
    assert decoder([], formats).record({}, written, {}).as_of == day


def test_a_broken_day_costs_no_value() -> None:
    breaches: dict[str, int] = {}
    record = decoder([item("Won", "pay")], PLAIN).record({"PAY": 1}, "soon", breaches)
    assert (record, breaches) == (Record({"pay": 1}, None), {"wrong-type": 1})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates().map(str)
    | st.from_regex(r"\A-?[0-9,]{1,22}\Z")
    | st.from_regex(r"\A\d{4}-?\d{2}(-?\d{2})?\Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
formats = st.builds(
    Formats,
    dates=st.sampled_from(["YYYY-MM-DD", "YYYYMMDD"]),
    months=st.sampled_from(["YYYY-MM", "YYYYMM"]),
    money=st.sampled_from(["won", "thousand-won", "text"]),
)


def is_of(kind: ItemType, value: Any) -> bool:
    """Whether a value is of a declared type, as the view promises it."""
    match kind:
        case "Int":
            return type(value) is int and -(2**31) <= value < 2**31
        case "Won":
            return type(value) is int and abs(value) <= WON_LIMIT
        case "Float":
            return type(value) is float and math.isfinite(value)
        case "Boolean":
            return type(value) is bool
        case "Date":
            return type(value) is datetime.date
        case "Month":
            return re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", value) is not None
        case _:
            return type(value) is str


@given(st.sampled_from(TYPES), formats, json_values)
def test_whatever_comes_is_of_the_declared_type_or_absent_or_broken(
    kind: ItemType, formats: Formats, written: Any
) -> None:
    value, breaches = decode(kind, written, formats)
    if written is None:
        assert value is None
    elif value is BROKEN:
        assert breaches == {"wrong-type": 1}
    else:
        assert is_of(kind, value)
        assert breaches == {}


@given(json_values)
def test_whatever_comes_in_place_of_rows_each_row_has_its_columns(rows: Any) -> None:
    value, _ = decode_rows(rows)
    assert (
        value is None or value is BROKEN or all(row.keys() == {"amount", "payer"} for row in value)
    )
    assert (value is None) == (rows is None)


@given(st.dictionaries(st.sampled_from(["PAY", "WAGES", "OTHER"]), json_values), json_values)
def test_whatever_comes_as_a_record_only_what_was_asked_is_kept(
    raw: dict[str, Any], as_of: Any
) -> None:
    record = decoder([item("Won", "pay"), *COLUMNS], PLAIN).record(raw, as_of, {})
    assert record.values.keys() == {"pay", "wages"}
    assert record.as_of is None or type(record.as_of) is datetime.date


# Compiled readers


class ByColumn(Decoder):
    """Reads as where something is wrong: column by column."""

    def _compiled(self, _: object) -> Any:
        def fails(_: object) -> Any:
            raise KeyError

        return fails


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), WON_LIMIT, WON_LIMIT + 1, -WON_LIMIT, "", "x"]),
    st.floats(),
    st.sampled_from(
        ["2024-02-29", "2023-02-29", "2024-W01-1", "20240229", "2024-1-01", "\uff12024-01-01"]
    ),
    st.dates().map(str),
    st.dates(),
    st.decimals(allow_nan=True),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
)


@given(st.data())
def test_a_compiled_reader_gives_what_reading_by_columns_gives(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=4))
    items = [item(kind, f"i{n}") for n, kind in enumerate(kinds)]
    items += [item(kind, "rows", f"i{n}") for n, kind in enumerate(kinds)]
    formats = Formats(empty=data.draw(st.booleans()), omitted=data.draw(st.booleans()))
    made = decoder(items, formats)
    slow = ByColumn(made.leaves, made.lists, made.as_of, made.formats)
    names = st.sampled_from([f"I{n}" for n in range(len(kinds) + 1)])
    row = st.dictionaries(names, ODD)
    raw = data.draw(row)
    raw |= data.draw(st.dictionaries(st.just("ROWS"), ODD | st.lists(row | ODD, max_size=2)))
    told: list[Any] = []
    for one in (made, slow):
        breaches: dict[str, int] = {}
        record = one.record(raw, None, breaches)
        told.append((list(map(repr, record.values.items())), breaches))
    assert told[0] == told[1]


@given(st.recursive(st.text("[]{}a"), lambda of: st.lists(of) | st.dictionaries(st.text("[{"), of)))
def test_what_brackets_show_to_be_shallow_is_so(document: Any) -> None:
    content = orjson.dumps(document)
    for depth in range(1, 8):
        if _is_shallow(content, depth):
            check_depth(document, depth)
