"""Declarations: read in full where good; every fault of a file at once where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sources.declaration import Catalogue, Item, Source, exists_name
from sources.fault import Fault
from sources.reading import read_catalogue

HEAD = """\
[source]
agency = "Tax"
description = "Income"
adapter = "rest"
"""
ITEM = """\
[item.pay]
description = "Pay"
type = "Won"
category = "income"
"""
WAGES = """\
[item.wages]
description = "Wages"
type = "list"
counts_when = { state = "paid" }
wire = "WAGE_LIST"

[item.wages.item.amount]
description = "Amount"
type = "Won"
category = "income"
wire = "AMT"
per = "month"
counts_as = ["income.earned", "employment.pay"]
reports = "wages"
rank = 2

[item.wages.item.state]
description = "State"
type = "String"
category = "income"
codes = { "1" = "paid", "2" = "held" }
"""
CASE = """\
[case.item.reference]
description = "Reference"
type = "ID"
category = "case"
wire = "ref_no"
counts_as = "case.reference"
"""

Declare = Callable[[str], Path]


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Writes a declaration called `tax`; the folder it stands in."""

    def write(text: str) -> Path:
        (tmp_path / "tax.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def read(folder: Path, *names: str) -> tuple[Catalogue, list[Fault]]:
    enabled = names or ("tax",)
    return read_catalogue(folder, enabled, enabled[0], enabled[0])


def faults_of(folder: Path) -> list[str]:
    return [str(fault) for fault in read(folder)[1]]


@pytest.fixture
def tax(declare: Declare) -> Source:
    """A declaration with a leaf, a list and a case."""
    text = HEAD + 'agency_ko = "국세청"\nbatch = 7\ntimeout = "500ms"\nfield = "taxOffice"\n'
    catalogue, faults = read(declare(text + '[rest]\nurl = "x"\n' + ITEM + WAGES + CASE))
    assert faults == []
    return catalogue.sources["tax"]


def item(source: Source, name: str) -> Item:
    return next(found for found in source.items if found.name == name)


def test_a_good_declaration_says_who_the_agency_is_and_how_it_is_asked(tax: Source) -> None:
    said = (tax.name, tax.agency, tax.agency_ko, tax.description, tax.field)
    assert said == ("tax", "Tax", "국세청", "Income", "taxOffice")
    assert (tax.adapter, tax.batch, tax.timeout) == ("rest", 7, 0.5)
    assert tax.adapter_table == {"url": "x"}


def test_a_leaf_is_asked_and_found_by_its_own_name_unless_told(tax: Source) -> None:
    assert item(tax, "tax.pay") == Item(
        name="tax.pay",
        source="tax",
        subject="person",
        path=("pay",),
        wire=("pay",),
        type="Won",
        description="Pay",
        category="income",
    )


def test_a_column_of_a_list_carries_all_that_is_declared_of_it(tax: Source) -> None:
    assert item(tax, "tax.wages.amount") == Item(
        name="tax.wages.amount",
        source="tax",
        subject="person",
        path=("wages", "amount"),
        wire=("WAGE_LIST", "AMT"),
        type="Won",
        description="Amount",
        category="income",
        per="month",
        places=("income.earned", "employment.pay"),
        reports="wages",
        rank=2,
        counts_when=(("state", "paid"),),
    )


def test_a_list_itself_is_no_item(tax: Source) -> None:
    assert tax.lists == {"wages": "Wages"}
    assert "tax.wages" not in {found.name for found in tax.items}


def test_codes_are_kept_with_their_words(tax: Source) -> None:
    assert item(tax, "tax.wages.state").codes == {"1": "paid", "2": "held"}


def test_an_item_of_a_case_is_named_and_placed_as_one(tax: Source) -> None:
    found = item(tax, "tax.case.reference")
    assert (found.subject, found.path, found.wire) == ("case", ("reference",), ("ref_no",))
    assert found.places == ("case.reference",)


def test_that_there_is_a_record_is_an_item_of_people_and_one_of_cases(tax: Source) -> None:
    existing = [found for found in tax.items if found.is_exists]
    assert [(found.name, found.subject, found.category) for found in existing] == [
        ("tax.exists", "person", "existence"),
        ("tax.case.exists", "case", "existence"),
    ]


@pytest.mark.parametrize(
    ("name", "exists"),
    [("tax.wages.amount", "tax.exists"), ("tax.case.reference", "tax.case.exists")],
)
def test_every_item_discloses_that_its_source_has_the_record(
    tax: Source, name: str, exists: str
) -> None:
    assert exists_name(item(tax, name)) == exists


def test_what_is_left_out_has_the_documented_defaults(declare: Declare) -> None:
    source = read(declare(HEAD + ITEM))[0].sources["tax"]
    assert (source.batch, source.timeout, source.field) == (100, 2.0, "tax")


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2.0), ("1.5s", 1.5), ("1m", 60.0)]
)
def test_a_duration_is_read_with_its_unit(declare: Declare, text: str, seconds: float) -> None:
    source = read(declare(HEAD + f'timeout = "{text}"\n' + ITEM))[0].sources["tax"]
    assert source.timeout == seconds


def test_a_place_is_filled_in_order_of_rank_then_name(tmp_path: Path) -> None:
    for name, rank in (("tax", 5), ("labour", 1), ("army", 5)):
        counted = f'counts_as = "income.earned"\nrank = {rank}\n'
        (tmp_path / f"{name}.toml").write_text(HEAD + ITEM + counted)
    catalogue, faults = read(tmp_path, "tax", "labour", "army")
    assert faults == []
    places = [found.name for found in catalogue.at("income.earned")]
    assert places == ["labour.pay", "army.pay", "tax.pay"]
    assert catalogue.held_by("tax", "income.earned") == catalogue.items["tax.pay"]
    assert catalogue.held_by("tax", "income.rental") is None


def test_the_columns_that_say_whether_an_entry_counts_are_items(tax: Source) -> None:
    catalogue = Catalogue({"tax": tax}, "tax", "tax")
    (condition,) = catalogue.condition_items(catalogue.items["tax.wages.amount"])
    assert condition.name == "tax.wages.state"


LIST_HEAD = '[item.wages]\ndescription = "W"\ntype = "list"\n'
COLUMN = '[item.wages.item.amount]\ndescription = "A"\ntype = "Won"\ncategory = "income"\n'

FAULTS: Mapping[str, tuple[str, str]] = {
    "an unknown key of the source": (
        HEAD + 'adress = "x"\n' + ITEM,
        "tax.toml: source.adress (line 5): unknown key `adress`; remove it or correct its spelling",
    ),
    "an unknown key of an item": (
        HEAD + ITEM + 'catgory = "x"\n',
        "tax.toml: item.pay.catgory (line 9): unknown key `catgory`; "
        "remove it or correct its spelling",
    ),
    "an unknown key of a list": (
        HEAD + LIST_HEAD + 'order = "x"\n' + COLUMN,
        "tax.toml: item.wages.order (line 8): unknown key `order`; "
        "remove it or correct its spelling",
    ),
    "an unknown key beside the items of a case": (
        HEAD + ITEM + '[case]\ntable = "x"\n' + CASE,
        "tax.toml: case.table (line 10): unknown key `table`; remove it or correct its spelling",
    ),
    "a value of the wrong type": (
        HEAD + 'batch = "many"\n' + ITEM,
        "tax.toml: source.batch (line 5): input should be a valid integer, unable to parse "
        "string as an integer; correct the value",
    ),
    "a batch of nobody": (
        HEAD + "batch = 0\n" + ITEM,
        "tax.toml: source.batch (line 5): input should be greater than or equal to 1; "
        "correct the value",
    ),
    "an unknown type": (
        HEAD + ITEM.replace("Won", "Money"),
        "tax.toml: item.pay.type (line 7): input should be 'String', 'ID', 'Int', 'Float', "
        "'Boolean', 'Date', 'Month' or 'Won'; correct the value",
    ),
    "a misspelt category": (
        HEAD + ITEM.replace('"income"', '"incom"'),
        "tax.toml: item.pay.category (line 8): unknown category `incom`; did you mean `income`?",
    ),
    "a category like none": (
        HEAD + ITEM.replace('"income"', '"zzz"'),
        "tax.toml: item.pay.category (line 8): unknown category `zzz`; use one of `absence`, "
        "`asset`, `benefit`, `case`, `contact`, `custody`, `disability`, `education`, "
        "`employment`, `family`, `finance`, `hardship`, `health`, `housing`, `identity`, "
        "`income`, `protection`",
    ),
    "the category that only the hub gives": (
        HEAD + ITEM.replace('"income"', '"existence"'),
        "tax.toml: item.pay.category (line 8): `existence` is of the item that comes by itself; "
        "use another category",
    ),
    "a sourced item without a source": (
        HEAD + ITEM + 'mark = "S"\n',
        "tax.toml: item.pay.mark (line 9): it is sourced, but no source is named; "
        "name it in `cite`, here or of the source, or mark it `K`",
    ),
    "an item held to be less sensitive than its category": (
        HEAD + ITEM.replace('"income"', '"health"') + 'sensitivity = "ordinary"\n',
        "tax.toml: item.pay.sensitivity (line 9): `health` is sensitive, and so is what is in it; "
        "remove it, or choose another category",
    ),
    "a rhythm of renewal that is none": (
        HEAD + ITEM + 'updated = "weekly"\n',
        "tax.toml: item.pay.updated (line 9): input should be 'live', 'daily', 'monthly', "
        "'two-monthly', 'half-yearly', 'yearly' or 'event'; correct the value",
    ),
    "a duration without a unit": (
        HEAD + 'timeout = "2"\n' + ITEM,
        "tax.toml: source.timeout (line 5): `2` is no duration; write it like `500ms`, `2s`, "
        "`24h` or `7d`",
    ),
    "a missing key": (
        HEAD + ITEM.replace('type = "Won"\n', ""),
        "tax.toml: item.pay.type (line 5): `type` is missing; add it",
    ),
    "a report by what is no amount": (
        HEAD + ITEM.replace("Won", "String") + 'reports = "wages"\n',
        "tax.toml: item.pay.reports (line 9): only an amount reports a thing; remove `reports`",
    ),
    "a condition on a column that is not there": (
        HEAD + LIST_HEAD + 'counts_when = { amuont = "1" }\n' + COLUMN,
        "tax.toml: item.wages.counts_when (line 8): no column `amuont`; did you mean `amount`?",
    ),
    "an unknown table": (
        HEAD + ITEM + '[rset]\nurl = "x"\n',
        'tax.toml: rset (line 9): unknown table `rset`; remove it, or set `adapter = "rset"`',
    ),
    "an item's name with an underscore": (
        HEAD + ITEM.replace("item.pay", "item.net_pay"),
        "tax.toml: item.net_pay (line 5): `net_pay` cannot name an item; "
        "use camelCase letters and digits",
    ),
    "a column's name with an underscore": (
        HEAD + LIST_HEAD + COLUMN.replace("item.amount", "item.the_amount"),
        "tax.toml: item.wages.item.the_amount (line 8): `the_amount` cannot name an item; "
        "use camelCase letters and digits",
    ),
    "an item called by a word of the hub's own": (
        HEAD + ITEM.replace("item.pay", "item.exists"),
        "tax.toml: item.exists (line 5): `exists` is a word of the hub's own; choose another name",
    ),
    "an item of a case that would stand for there being one": (
        HEAD + ITEM + CASE.replace("reference", "exists"),
        "tax.toml: case.item.exists (line 9): `exists` is a word of the hub's own; "
        "choose another name",
    ),
    "a field that GraphQL cannot have": (
        HEAD + 'field = "tax office"\n' + ITEM,
        "tax.toml: source.field (line 5): `tax office` cannot name a field; "
        "use camelCase letters and digits",
    ),
    "codes of an amount": (
        HEAD + ITEM + 'codes = { A = "100" }\n',
        "tax.toml: item.pay.codes (line 9): `Won` has no codes; remove them, or make it a String",
    ),
    "codes of a yes or no that stand for other words": (
        HEAD + ITEM.replace("Won", "Boolean") + 'codes = { Y = "yes", N = "no" }\n',
        "tax.toml: item.pay.codes (line 9): a code of a Boolean stands for another word than "
        '`true` or `false`; write it like `{ Y = "true", N = "false" }`',
    ),
    "no item at all": (
        HEAD,
        "tax.toml: item: no item is declared; declare at least one",
    ),
    "no item of a case": (
        HEAD + ITEM + "[case]\n",
        "tax.toml: case.item (line 9): no item is declared; declare at least one",
    ),
    "items that are no table": (
        "item = 5\n" + HEAD,
        "tax.toml: item (line 1): is no table; declare each item as `[item.NAME]`",
    ),
    "a case that is no table": (
        "case = 5\n" + HEAD + ITEM,
        "tax.toml: case (line 1): is no table; write it as a table of keys",
    ),
    "what is not TOML": (
        "[source\n",
        "tax.toml: the file: is not TOML: Expected ']' at the end of a table declaration "
        "(at line 1, column 8); correct the line named",
    ),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_with_file_place_and_remedy(
    declare: Declare, text: str, fault: str
) -> None:
    assert faults_of(declare(text)) == [fault]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert faults_of(tmp_path) == [
        "tax.toml: the file: cannot be read (No such file or directory); "
        "add the file, or take its name out of `sources.enabled`"
    ]


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "tax.toml").write_bytes(HEAD.replace("Tax", "국세청").encode("euc-kr"))
    assert faults_of(tmp_path) == ["tax.toml: the file: is not UTF-8; save it as UTF-8"]


def test_a_source_cannot_be_named_what_graphql_cannot_say(tmp_path: Path) -> None:
    (tmp_path / "tax-office.toml").write_text(HEAD + ITEM)
    _, faults = read(tmp_path, "tax-office")
    assert [str(fault) for fault in faults] == [
        "tax-office.toml: the file: `tax-office` cannot name a source; use letters and digits only"
    ]


def test_every_fault_of_a_file_is_told_at_once(declare: Declare) -> None:
    wrong = (
        '[source]\nagency = "Tax"\nadapter = "rest"\ntimeout = "soon"\n'
        + ITEM.replace('"income"', '"incom"')
        + 'reports = "x"\n'
        + LIST_HEAD
        + COLUMN.replace("Won", "Wno")
        + "[other]\n"
    )
    assert [fault.place for fault in read(declare(wrong))[1]] == [
        "source.description (line 1)",
        "source.timeout (line 4)",
        "item.pay.category (line 8)",
        "item.wages.item.amount.type (line 15)",
        "other (line 17)",
    ]


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "tax.toml").write_text(HEAD + "x = 1\n" + ITEM)
    (tmp_path / "labour.toml").write_text(HEAD + "y = 1\n" + ITEM)
    _, faults = read(tmp_path, "tax", "labour", "army")
    assert [fault.file for fault in faults] == ["tax.toml", "labour.toml", "army.toml"]


def test_a_source_with_a_fault_does_not_join(declare: Declare) -> None:
    catalogue, _ = read(declare(HEAD + "x = 1\n" + ITEM))
    assert catalogue.sources == {}


def test_two_sources_cannot_have_one_field(tmp_path: Path) -> None:
    (tmp_path / "tax.toml").write_text(HEAD + ITEM)
    (tmp_path / "levy.toml").write_text(HEAD + 'field = "tax"\n' + ITEM)
    _, faults = read(tmp_path, "tax", "levy")
    assert [str(fault) for fault in faults] == [
        "levy.toml: source.field (line 5): `tax` is also the field of `tax`; "
        "give it a `field` of its own"
    ]


def test_a_role_must_be_of_an_enabled_source(declare: Declare) -> None:
    _, faults = read_catalogue(declare(HEAD + ITEM), ["tax"], "tax", "txa")
    assert [str(fault) for fault in faults] == [
        "hub.toml: roles.cases: `txa` is not enabled; enable it, or did you mean `tax`?"
    ]


@pytest.mark.parametrize("name", ["resident", "tax", "labour", "property", "benefits"])
def test_every_declaration_of_the_catalogue_is_good(name: str) -> None:
    folder = Path(__file__).parents[2] / "sources" / "catalogue"
    assert read(folder, name)[1] == []


def test_only_enabled_declarations_are_read(tmp_path: Path) -> None:
    (tmp_path / "tax.toml").write_text(HEAD + ITEM)
    (tmp_path / "levy.toml").write_text("[broken\n")
    catalogue, faults = read(tmp_path, "tax")
    assert faults == []
    assert list(catalogue.sources) == ["tax"]


SHOPS = """\
[source]
agency = "Shops"
description = "Shops"
adapter = "rest"
found_by = "%s"

[item.name]
description = "Name"
type = "String"
category = "employment"
"""
SHOP = """\
[item.shop]
description = "Number of the shop"
type = "String"
category = "employment"
"""
OWNER = SHOP.replace("shop", "owner") + 'sensitivity = "identifier"\n'
MEMBER = SHOP.replace("shop", "member") + 'counts_as = "household.members.id"\n'
TAX_WITH_KEY = HEAD + ITEM + SHOP + OWNER + MEMBER


def key_faults(folder: Path, shops: str, tax: str = TAX_WITH_KEY) -> list[str]:
    (folder / "tax.toml").write_text(tax)
    (folder / "shops.toml").write_text(shops)
    _, faults = read_catalogue(folder, ["tax", "shops"], "tax", "tax")
    return [str(fault) for fault in faults]


def test_a_source_may_be_found_by_an_item_of_another(tmp_path: Path) -> None:
    assert key_faults(tmp_path, SHOPS % "tax.shop") == []
    catalogue, _ = read_catalogue(tmp_path, ["tax", "shops"], "tax", "tax")
    assert [one.name for one in catalogue.found_by(catalogue.items["tax.shop"])] == ["shops"]
    assert catalogue.asked_about("shops") == "tax"
    assert catalogue.items["shops.exists"].description == "There is such a record"


@pytest.mark.parametrize(
    ("shops", "fault"),
    [
        (
            SHOPS % "tax.shoq",
            "no enabled source has a text `tax.shoq`; enable the source that has it, or "
            "did you mean `tax.shop`?",
        ),
        (
            SHOPS % "tax.pay",
            "no enabled source has a text `tax.pay`; enable the source that has it, or "
            "did you mean `tax.shop`?",
        ),
        (
            SHOPS % "shops.name",
            "the source is found by what it leads to itself; name an item of a source of people",
        ),
        (
            SHOPS % "tax.owner",
            "`tax.owner` is a person's, and who may be asked about is no matter of keys; "
            "name the key of a thing: a parcel, a business",
        ),
        (
            SHOPS % "tax.member",
            "`tax.member` is a person's, and who may be asked about is no matter of keys; "
            "name the key of a thing: a parcel, a business",
        ),
        (
            SHOPS % "tax.shop" + "whereabouts = true\n",
            "its records lead to where people are, and `tax.shop` is not said to; "
            "declare that item with `whereabouts = true`",
        ),
        (
            SHOPS % "tax.shop" + 'counts_as = "identity.name"\n',
            "what is found by a key counts at no place of the view, and is no case; "
            "remove `counts_as` and `[case]`",
        ),
    ],
    ids=["unknown", "no text", "itself", "an identifier", "a member", "whereabouts", "a place"],
)
def test_what_a_source_cannot_be_found_by_is_told(tmp_path: Path, shops: str, fault: str) -> None:
    assert key_faults(tmp_path, shops) == [f"shops.toml: source.found_by (line 5): {fault}"]
