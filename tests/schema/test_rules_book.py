"""The data files of programmes: every fault of every file at once, with place and remedy."""

from __future__ import annotations

from pathlib import Path

from schema.rules.book import read_book, the_book

GOOD = """
[input.age]
of = "member"
type = "number"
en = "age"
ko = "나이"

[input.region]
of = "household"
type = "code"
en = "region"
ko = "지역"
options = ["seoul", "other"]

[parameter.rate]
en = "rate"
ko = "비율"
type = "rate"
figures = [{ since = 2026, value = "1.04 %", mark = "S", source = "a guide" }]

[parameter.limit]
en = "limit"
ko = "한도"
type = "won"
by = "region"
figures = [{ since = 2026, value = { seoul = 2, other = 1 }, mark = "S", source = "a guide" }]

[step.old]
type = "yes-no"
en = "old"
ko = "노인"
formula = "any(age >= 65)"
mark = "S"
source = "an act, Article 1"

[programme.P1]
key = "one"
name_ko = "하나"
name_en = "One"
ministry = "MOHW"
target = "all"
criterion = "none"
mark = "K"
conditions = ["old"]
basis = "an act, Article 1"
basis_mark = "S"
"""


def faults(folder: Path, **files: str) -> list[str]:
    """What is found wrong with the good file and these."""
    (folder / "good.toml").write_text(GOOD)
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return [str(fault) for fault in read_book(folder)[1]]


def step(formula: str, kind: str = "won", of: str = "household", name: str = "it") -> str:
    """A step of the formula, which stands in line 6."""
    return (
        f'[step.{name}]\nof = "{of}"\ntype = "{kind}"\nen = "x"\nko = "x"\n'
        f'formula = \'{formula}\'\nmark = "K"\nsource = "a guide"\n'
    )


def test_the_files_of_the_project_have_no_fault() -> None:
    assert read_book()[1] == []
    assert "WLF00001132" in the_book().programmes


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        one=step("sum(agee)"),
        two=step("age", name="other"),
        three="[step.third]\nof = 'household'\n",
        four="[oops",
    )
    assert found == [
        "four.toml: the file: is not TOML: Expected ']' at the end of a table declaration"
        " (at end of document); correct the line named",
        *(
            f"three.toml: step.third.{key} (line 1): `{key}` is missing; add it"
            for key in ("type", "en", "ko", "formula", "mark", "source")
        ),
        "one.toml: step.it.formula (line 6): unknown name `agee`; did you mean `age`?",
        "two.toml: step.other.formula (line 6): `age` is of a member, and the formula of the"
        " household; say of whom: `sum(age)`, `any(age)`",
    ]


def test_formulas_are_held_to_their_types(tmp_path: Path) -> None:
    cases = {
        "rate * limit[region]": "may give a fraction; round it: `round(…)`",
        "limit[region] * limit[region]": "`limit[region] * limit[region]` multiplies won by won;"
        " multiply by a rate or a number",
        "limit[region] + sum(age)": "`limit[region] + sum(age)` puts together number and won;"
        " make them the same unit",
        "limit": "`limit` is a table; say of whom: `limit[…]`",
        "1.5": "`1.5` is no whole number; write a rate as a parameter, as `1.04 %`",
        "limit[region] / sum(age)": "`sum(age)` is not the same for everyone; divide by a number"
        " or a parameter",
        '1 if region == "seol" else 2': "`'seol'` is none of the options of `region`;"
        " did you mean `seoul`?",
        "open(1)": "`open(1)` calls what is not of the notation; see the known ones",
        "sum(age).real": "`sum(age).real` is not of the notation; see docs/programmes.md",
        "old": "gives a yes-no, and the step is a won; correct `type` or the formula",
        "1 +": "is no formula; see docs/programmes.md for the notation",
        "it": "rests on itself: it → it; break the circle",
    }
    for formula, told in cases.items():
        found = faults(tmp_path, bad=step(formula.replace("'", '"')))
        assert len(found) == 1, (formula, found)
        if "open(" not in formula:
            assert found[0] == f"bad.toml: step.it.formula (line 6): {told}"
        else:
            assert "calls what is not of the notation" in found[0]


def test_figures_and_programmes_are_checked(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        bad="""
[parameter.list]
en = "x"
ko = "x"
type = "won"
by = "region"
figures = [
  { year = 2026, since = 2026, value = { seoul = 1 }, mark = "S", source = "a guide" },
  { year = 2027, value = "1 %", mark = "S", source = "a guide" },
]

[programme.P2]
key = "two"
name_ko = "둘"
name_en = "Two"
ministry = "MOHW"
target = "all"
criterion = "none"
mark = "K"
conditions = ["odl"]
measure = "old"
not_modelled = ["the draw"]
""",
    )
    assert found == [
        "bad.toml: parameter.list.figures (line 7): the figure of 2026 says not just one of `year`"
        " and `since`; give it one of the two",
        "bad.toml: parameter.list.figures (line 7): the figure of 2026 has not the codes of what it"
        " goes by; give one for each of `seoul`, `other`",
        "bad.toml: parameter.list.figures (line 7): the figure of 2027 is not shaped as `by` says;"
        " give a figure, a list by size or a table by code",
        "bad.toml: parameter.list.figures (line 7): the figure of 2027 is no whole won; write it"
        " whole, or make the parameter a rate",
        "bad.toml: programme.P2.conditions (line 20): unknown step `odl`; did you mean `old`?",
        "bad.toml: programme.P2.measure (line 21): `old` is no won of household; name another step",
        "bad.toml: programme.P2 (line 12): has a measure without a threshold, or the contrary;"
        " give both",
        "bad.toml: programme.P2.not_modelled (line 22): `the draw` has no Korean words;"
        " add them to `[left_out]`",
        "bad.toml: programme.P2 (line 12): is decided without saying by which article or guide;"
        " add `basis` and `basis_mark`",
    ]


def test_a_name_stands_for_one_thing(tmp_path: Path) -> None:
    found = faults(tmp_path, zzz=step("1", name="age"))
    assert found == [
        "zzz.toml: step.age (line 1): `age` names something else already;"
        " give one of them another name"
    ]
