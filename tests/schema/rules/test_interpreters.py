"""One definition, four interpreters: none of them may say otherwise than another."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import ibis
import numpy
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.rules import columns
from schema.rules.book import Book, Input, read_book
from schema.rules.facts import Absent, HouseholdFacts, Known, Member, NotKnown
from schema.rules.reference import Reading
from schema.rules.run import work_out
from schema.rules.year import Year, year_of
from tests.schema.rules.households import BOOK, drawn, household, known, person, rows

RULES = year_of(BOOK, 2026)
STEPS = RULES.layout.household_steps


def exactly(rules: Year, own: dict[str, Any], members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Every step of the household, by the generated function."""
    layout = rules.layout
    found, _ = rules.exactly(
        [own[name] for name in layout.household],
        [[row[name] for name in layout.member] for row in members],
    )
    return dict(zip(layout.household_steps, found, strict=True))


def by_reference(
    rules: Year, own: dict[str, Any], members: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Every step of the household, read node by node over fractions."""
    book, figures = rules.book, rules.lowering.figures
    each, whole = [dict(row) for row in members], dict(own)
    for name in rules.layout.member_steps:
        for row in each:
            row[name] = Reading(rules.year, figures, book.parameters, row).value(
                book.formulas[name]
            )
    for name in rules.layout.household_steps:
        reading = Reading(rules.year, figures, book.parameters, whole, each)
        whole[name] = reading.value(book.formulas[name])
    return {name: whole[name] for name in rules.layout.household_steps}


def by_columns(
    rules: Year, own: Sequence[dict[str, Any]], members: Sequence[Sequence[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Every step of every household, by DuckDB."""
    steps = rules.layout.household_steps
    return [dict(zip(steps, row, strict=True)) for row in rows_of_columns(rules, own, members)]


def rows_of_columns(
    rules: Year, own: Sequence[dict[str, Any]], members: Sequence[Sequence[dict[str, Any]]]
) -> Iterator[tuple[Any, ...]]:
    """The same, in the order of the steps."""
    places = [n for n, each in enumerate(members) for _ in each]
    flat = [row for each in members for row in each]
    return of_columns(
        rules,
        {"household": range(len(own)), **{key: [row[key] for row in own] for key in own[0]}},
        {"household": places, **{key: [row[key] for row in flat] for key in flat[0]}},
    )


def of_columns(
    rules: Year, own: Mapping[str, Sequence[Any]], members: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[Any, ...]]:
    """Every step of every household, from the columns of two tables."""
    steps = rules.layout.household_steps
    back = ibis.duckdb.connect()
    for name, found in (("members", members), ("households", own)):
        back.con.register(name, pyarrow.table({key: list(cells) for key, cells in found.items()}))
    made = columns.assess(rules, steps, back.table("members"), back.table("households"))
    ordered = back.to_pyarrow(made).sort_by("household")
    return zip(*(ordered.column(name).to_pylist() for name in steps), strict=True)


def drawn_households(
    number: int, seed: int
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Households at random, all of them known."""
    dice = random.Random(seed)
    inputs = {name: entry for name, entry in BOOK.inputs.items() if entry.of == "household"}
    own = [{name: drawn(entry, dice) for name, entry in inputs.items()} for _ in range(number)]
    return own, [rows(BOOK, dice, dice.choice((1, 1, 2, 3, 4, 6))) for _ in range(number)]


def facts_of(own: dict[str, Any], members: Sequence[dict[str, Any]]) -> HouseholdFacts:
    """A household's facts, all known."""
    people = (Member(str(n), known(row)) for n, row in enumerate(members))
    return HouseholdFacts(tuple(people), known(own))


HOUSEHOLDS = 100_000


def drawn_column(entry: Input, size: int, dice: numpy.random.Generator) -> list[Any]:
    """Values of a fact for so many, as `households.drawn` draws each."""
    if entry.type == "yes-no":
        return (dice.random(size) < 0.3).tolist()
    if entry.type == "code":
        return [entry.options[n] for n in dice.integers(len(entry.options), size=size).tolist()]
    if entry.type == "number":
        return dice.integers(100, size=size).tolist()
    kind = dice.random(size)
    some = dice.integers(10 ** dice.integers(5, 10, size=size))
    beyond = 2**53 + dice.integers(10**9, size=size)
    return numpy.where(kind < 0.5, 0, numpy.where(kind < 0.97, some, beyond)).tolist()


def test_scalar_and_columns_agree_on_100_000_households_at_random() -> None:
    dice, layout, inputs = numpy.random.default_rng(20260601), RULES.layout, BOOK.inputs
    sizes = dice.choice((1, 1, 2, 3, 4, 6), size=HOUSEHOLDS)
    people, others = int(sizes.sum()), ("spouse", "child", "parent", "other")
    first = numpy.zeros(people, dtype=bool)
    first[numpy.cumsum(sizes) - sizes] = True
    members = {name: drawn_column(inputs[name], people, dice) for name in layout.member}
    # As everywhere: the first applies, and one at most is the spouse.
    second = numpy.roll(first, 1) & ~first
    drawn_other = dice.integers(len(others), size=people)
    members["relation"] = [
        "self" if applies else others[n] if may_be_spouse else ("child", "other")[n % 2]
        for applies, may_be_spouse, n in zip(
            first.tolist(), second.tolist(), drawn_other.tolist(), strict=True
        )
    ]
    members["applicant"] = first.tolist()
    own = {name: drawn_column(inputs[name], HOUSEHOLDS, dice) for name in layout.household}
    places = numpy.repeat(numpy.arange(HOUSEHOLDS), sizes).tolist()
    each_own = zip(*own.values(), strict=True)
    each_member = zip(*(members[name] for name in layout.member), strict=True)
    found = of_columns(
        RULES, own | {"household": range(HOUSEHOLDS)}, members | {"household": places}
    )
    seen = set()
    for number, (mine, size, columnar) in enumerate(
        zip(each_own, sizes.tolist(), found, strict=True)
    ):
        household = (mine, tuple(itertools.islice(each_member, size)))
        assert columnar == RULES.exactly(*household)[0], number
        seen.add(hash(household))
    assert len(seen) == HOUSEHOLDS


def test_scalar_and_reference_agree() -> None:
    own, members = drawn_households(500, seed=7)
    for mine, each in zip(own, members, strict=True):
        assert exactly(RULES, mine, each) == by_reference(RULES, mine, each)


def point(name: str, value: Any) -> Any:
    """A value as bounds that leave nothing open."""
    if BOOK.inputs[name].type == "code":
        return frozenset((value,))
    return value if isinstance(value, bool) else (value, value)


def test_bounds_of_what_is_all_known_are_the_exact_values() -> None:
    own, members = drawn_households(1_000, seed=8)
    for mine, each in zip(own, members, strict=True):
        facts = facts_of(mine, each)
        layout = RULES.layout
        first = [point(name, mine[name]) for name in layout.household]
        rest = [[*(point(name, row[name]) for name in layout.member), False] for row in each]
        found, _ = RULES.within(first, rest)
        whole = work_out(RULES, facts)
        assert whole.exact
        for name, value in zip(STEPS, found, strict=True):
            assert value == whole.household[name] or value == (whole.household[name],) * 2


def test_null_in_columns_is_open_in_bounds_and_never_zero() -> None:
    dice = random.Random(9)
    own, members = drawn_households(2_000, seed=9)
    for mine, each in zip(own, members, strict=True):
        for row in (mine, *each):
            for name in row:
                if name not in ("applicant", "relation") and dice.random() < 0.06:
                    row[name] = None
    for number, found in enumerate(by_columns(RULES, own, members)):
        people = tuple(
            Member(
                str(n), {key: value for key, value in known(row).items() if row[key] is not None}
            )
            for n, row in enumerate(members[number])
        )
        # What is declared must be told to be open: nothing told is none, by the rule.
        told = {k: NotKnown("withheld") if v is None else Known(v) for k, v in own[number].items()}
        bounds = work_out(RULES, HouseholdFacts(people, told))
        for name, value in found.items():
            inside = bounds.household[name]
            if value is None or bounds.exact:
                assert value is None or value == inside
            elif isinstance(inside, tuple):
                assert inside[0] is None or inside[0] <= value
                assert inside[1] is None or value <= inside[1]
            else:
                assert inside is None or inside == value


EDGES = """
[input.x]
of = "household"
type = "won"
en = "x"
ko = "x"

[programme.P]
key = "p"
name_ko = "p"
name_en = "p"
ministry = "p"
target = "p"
criterion = "p"
mark = "K"
"""
RATES = (
    "1.04 %",
    "4.17 %",
    "6.26 %",
    "30 %",
    "1/3",
    "2/7",
    "50 %",
    "32 %",
    "100 %",
    "1/12",
    "95 %",
)


FITS = 10**12
"""Fractions that are compared before they are rounded must fit in 64 bits over one denominator."""


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book that rounds in each of the ways, by many rates, amounts above and below 0."""
    text = EDGES
    for number, rate in enumerate(RATES):
        text += (
            f"\n[parameter.r{number}]\nen = 'r'\nko = 'r'\ntype = 'rate'\n"
            f"figures = [{{ since = 2020, value = '{rate}', mark = 'K', source = 's' }}]\n"
        )
        for how in ("round", "floor", "ceil"):
            for name, formula in (
                ("up", f"{how}(r{number} * x)"),
                ("down", f"{how}(0 - r{number} * x)"),
                ("part", f"{how}((x - 7) / 12 + r{number} * x)"),
                ("least", f"{how}(min(r{number} * min(x, {FITS}), min(x, {FITS}) / 3))"),
            ):
                text += (
                    f"\n[step.{how}_{name}_{number}]\ntype = 'won'\nen = 's'\nko = 's'\n"
                    f"formula = '{formula}'\nmark = 'K'\nsource = 's'\n"
                )
        text += (
            f"\n[step.above_{number}]\ntype = 'yes-no'\nen = 's'\nko = 's'\n"
            f"formula = 'r{number} * min(x, {FITS}) > min(x, {FITS}) / 7 + 1'\n"
            "mark = 'K'\nsource = 's'\n"
        )
    folder = tmp_path_factory.mktemp("edges")
    (folder / "edges.toml").write_text(text)
    book, faults = read_book(folder)
    assert faults == []
    return book


def at_edges() -> list[int]:
    """Amounts at which some rate gives half a won or a whole one, and those beside them."""
    found = set()
    for rate in RATES:
        number = Fraction(rate[:-1].strip()) / 100 if rate.endswith("%") else Fraction(rate)
        for start in (0, 10**6, 2**31, 2**53, 2**55):
            at_half = (
                amount
                for amount in range(start, start + 4 * number.denominator)
                if (number * amount * 2).denominator == 1
            )
            for amount in itertools.islice(at_half, 12):
                found |= {amount - 1, amount, amount + 1}
    return sorted(amount for amount in found if amount >= 0)


def test_every_interpreter_agrees_at_every_rounding_edge_and_beyond_2_to_53(edges: Book) -> None:
    rules = year_of(edges, 2026)
    amounts = at_edges()
    assert len(amounts) > 500
    assert max(amounts) > 2**55
    members: list[list[dict[str, Any]]] = [[] for _ in amounts]
    own = [{"x": amount} for amount in amounts]
    columned = [
        dict(row) for row in by_columns(rules, own, [[{"applicant": True}] for _ in amounts])
    ]
    for mine, each, found in zip(own, members, columned, strict=True):
        reference = by_reference(rules, mine, each)
        assert exactly(rules, mine, each) == reference
        assert found == reference, mine
        bounds, _ = rules.within([(mine["x"], mine["x"])], [])
        for name, value in zip(rules.layout.household_steps, bounds, strict=True):
            assert value == reference[name] or value == (reference[name],) * 2


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
won = st.integers(0, 10**6) | st.integers(0, 10**10) | st.integers(2**53, 2**54)
INCOMES = [name for name in BOOK.inputs if name.endswith("_income")]
ASSETS = ["home", "deposit", "land", "buildings", "other_assets", "financial", "vehicles"]


def recognised(*members: Member, **own: Any) -> tuple[int, int]:
    """Recognised income for basic livelihood and for the basic pension."""
    values = work_out(RULES, household(*members, **own))
    assert values.exact
    return values.household["recognised_income"], values.household["pension_recognised_income"]


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(st.data(), st.sampled_from(INCOMES + ASSETS), won)
def test_more_never_lowers_recognised_income(data: st.DataObject, name: str, more: int) -> None:
    values = {key: data.draw(won, key) for key in INCOMES + ASSETS}
    values["debt"] = data.draw(won, "debt")
    age, disabled = data.draw(st.integers(0, 100)), data.draw(st.booleans())
    region = data.draw(st.sampled_from(BOOK.inputs["region"].options))
    before = recognised(person(age=age, disabled=disabled, **values), region=region)
    richer = values | {name: values[name] + more}
    after = recognised(person(age=age, disabled=disabled, **richer), region=region)
    assert before[0] <= after[0]
    assert before[1] <= after[1]


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(st.randoms(use_true_random=False), st.integers(0, 10**6))
def test_the_order_of_members_does_not_matter(order: random.Random, seed: int) -> None:
    own, [each] = drawn_households(1, seed)
    first, *rest = each
    shuffled = order.sample(rest, len(rest))
    assert exactly(RULES, own[0], each) == exactly(RULES, own[0], [first, *shuffled])


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(st.integers(0, 10**9), st.data())
def test_bounds_always_contain_the_exact_value(seed: int, data: st.DataObject) -> None:
    [own], [each] = drawn_households(1, seed)
    exact = work_out(RULES, facts_of(own, each)).household
    dice = random.Random(seed + 1)
    share = data.draw(st.floats(0, 1))

    def veiled(name: str, value: Any) -> Any:
        if name == "applicant" or dice.random() > share:
            return Known(value)
        if isinstance(value, int) and not isinstance(value, bool) and dice.random() < 0.5:
            return NotKnown(
                "withheld",
                least=max(0, value - dice.randrange(10**6)),
                most=value + dice.randrange(10**6),
            )
        return NotKnown("unavailable")

    shown = len(each) if dice.random() < 0.7 else dice.randrange(1, len(each) + 1)
    people = tuple(
        Member(str(n), {name: veiled(name, value) for name, value in row.items()})
        for n, row in enumerate(each[:shown])
    )
    told = {name: veiled(name, value) for name, value in own.items()}
    bounds = work_out(RULES, HouseholdFacts(people, told, complete=shown == len(each)))
    for name, value in exact.items():
        inside = bounds.household[name]
        if isinstance(inside, tuple):
            assert inside[0] is None or inside[0] <= value, name
            assert inside[1] is None or value <= inside[1], name
        else:
            assert inside is None or inside == value, name


def test_absent_is_none_and_not_known_is_not() -> None:
    absent = household(person())
    assert work_out(RULES, absent).exact
    first = absent.members[0]
    assert first.facts["financial"] == Absent()
    unknown = Member("a", {**first.facts, "financial": NotKnown("no source")})
    values = work_out(RULES, HouseholdFacts((unknown,), absent.facts))
    assert values.household["recognised_income"] == (0, None)


def test_columns_refuse_what_lacks_and_what_has_no_figures() -> None:
    empty = ibis.table({"household": "int64"}, name="empty")
    with pytest.raises(LookupError, match="the table of members lacks earned_income, "):
        columns.assess(RULES, ["recognised_income"], empty, empty)
    with pytest.raises(LookupError, match="no figures of 2030 for recognised_income"):
        columns.assess(year_of(BOOK, 2030), ["recognised_income"], empty, empty)


def test_columns_refuse_amounts_that_do_not_fit_instead_of_wrapping(
    edges: Book,
) -> None:
    rules = year_of(edges, 2026)
    back = ibis.duckdb.connect()
    own = pyarrow.Table.from_pylist([{"household": 0, "x": 2**63 - 1}])
    back.con.register("households", own)
    back.con.register("members", pyarrow.Table.from_pylist([{"household": 0, "applicant": True}]))
    found = columns.assess(rules, ["round_part_8"], back.table("members"), back.table("households"))
    with pytest.raises(Exception, match="Overflow in"):
        back.to_pyarrow(found)
