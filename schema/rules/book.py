"""The book of rules: facts, parameters, steps and programmes as the data files have them.

Files are TOML and all of one format, docs/programmes.md; each may hold any part. Everything is
checked when the book is read, every fault of every file at once.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schema.programmes import FOLDER
from schema.programmes import Programme as Offered
from schema.rules.expression import Expression, FaultyFormula, Level, Symbol, Type, names, parse
from sources.fault import Fault, FaultyConfiguration, Places, nearest, shape_faults

Mark = Literal["S", "K"]
Part = Literal[
    "income",
    "income deduction",
    "income evaluation",
    "asset",
    "asset deduction",
    "asset converted",
    "converted assets",
    "recognised income",
    "threshold",
    "condition",
    "payable",
    "other",
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _rate(value: Any) -> Any:
    """A rate written as `1.04 %` or `3/100`, exact."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return Fraction(text[:-1].strip()) / 100 if text.endswith("%") else Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError("is no rate; write it as `1.04 %` or `3/100`") from error


Amount = Annotated[int | Fraction, BeforeValidator(_rate)]


class Input(_Strict):
    """A fact of a member or of the household.

    Amounts of income are of a year. `places`: where the view finds it. `declared`: the rule counts
    it only where the household tells of it, and takes this value where nothing is told. `prefixes`,
    `when` and `each_from` say what of a place's values makes the fact.
    """

    of: Level
    type: Literal["won", "number", "yes-no", "code"]
    en: str
    ko: str
    options: tuple[str, ...] = ()
    least: int | None = 0
    most: int | None = None
    places: tuple[str, ...] = ()
    prefixes: Mapping[str, str] = {}
    when: tuple[str, ...] = ()
    each_from: int | None = None
    declared: bool | int | None = None


class Figure(_Strict):
    """A figure of law or statistics: of one year, or from a year on until another stands.

    `whole`: whether a list by size goes as far as the rule for sizes beyond it starts from.
    """

    year: int | None = None
    since: int | None = None
    value: Amount | tuple[Amount, ...] | Mapping[str, Amount]
    mark: Mark
    source: str
    whole: bool = True

    @property
    def first_year(self) -> int:
        """The first year it is of."""
        return self.year or self.since or 0


class Parameter(_Strict):
    """A figure, or a table of figures `by` a code or by the size of a group.

    `beyond = "last step"`: each further person adds the difference of the last two sizes.
    """

    type: Literal["won", "number", "rate"]
    en: str
    ko: str
    by: Name | None = None
    beyond: Literal["last step"] | None = None
    figures: tuple[Figure, ...] = Field(min_length=1)

    def of_year(self, year: int) -> Figure | None:
        """The figure that stands in a year."""
        for figure in self.figures:
            if figure.year == year:
                return figure
        standing = [entry for entry in self.figures if entry.since and entry.since <= year]
        return max(standing, key=lambda entry: entry.first_year, default=None)


class Step(_Strict):
    """One step of a rule: a formula with a name, what it is, and where it stands written."""

    of: Level = "household"
    type: Literal["won", "number", "yes-no", "code"]
    en: str
    ko: str
    formula: str
    part: Part = "other"
    asset: str | None = None
    mark: Mark
    source: str


class Payment(_Strict):
    """What a programme pays: a step of won, and how often. `at_most`: what is due may be less."""

    step: Name
    per: Literal["month", "year", "once"]
    at_most: bool = False


class Programme(Offered):
    """A benefit or service with its rule: decided where it has conditions or a measure.

    `conditions` are steps of yes or no; `measure` is a step of won that must not exceed the step
    `threshold`; `financial` is what financial assets alone are converted to; `assessed` is a step
    of yes or no of a member.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    assessed: Name | None = None
    conditions: tuple[Name, ...] = ()
    measure: Name | None = None
    threshold: Name | None = None
    financial: Name | None = None
    pays: Payment | None = None
    basis: str | None = None
    basis_mark: Mark | None = None
    since: int | None = None
    until: int | None = None
    not_modelled: tuple[str, ...] = ()

    @cached_property
    def decidable(self) -> bool:
        """Whether a rule decides it."""
        return bool(self.conditions or self.measure)

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The steps that decide it and say what it pays."""
        found = (*self.conditions, self.measure, self.threshold, self.assessed)
        return tuple(name for name in found if name) + ((self.pays.step,) if self.pays else ())


class _File(_Strict):
    input: dict[Name, Input] = {}
    parameter: dict[Name, Parameter] = {}
    step: dict[Name, Step] = {}
    programme: dict[str, Programme] = {}
    act: dict[str, str] = {}
    left_out: dict[str, str] = {}


@dataclass(frozen=True, eq=False)
class Book:
    """Everything the data files say, checked. `version` is the hash of the files.

    `acts` are the Korean names of acts by their English ones, `left_out` the Korean words for what
    programmes leave out.
    """

    inputs: Mapping[str, Input]
    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    programmes: Mapping[str, Programme]
    formulas: Mapping[str, Expression]
    version: str
    acts: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_key(self) -> Mapping[str, str]:
        """The ids of programmes by id and by key."""
        keys = {entry.key: code for code, entry in self.programmes.items()}
        return keys | {code: code for code in self.programmes}

    @cached_property
    def keys(self) -> frozenset[str]:
        """What agencies call the programmes."""
        return frozenset(entry.key for entry in self.programmes.values())

    @cached_property
    def listed(self) -> frozenset[str]:
        """The ids of the programmes of the public list; others are statuses that these rest on."""
        return frozenset(code for code in self.programmes if code.startswith("WLF"))

    @cached_property
    def years(self) -> tuple[int, ...]:
        """The years of which there are figures."""
        found = {f.year for entry in self.parameters.values() for f in entry.figures if f.year}
        return tuple(sorted(found))

    @cached_property
    def direct(self) -> Mapping[str, tuple[str, ...]]:
        """The names that stand in the formula of each step."""
        return {
            name: tuple(dict.fromkeys(found for found in names(formula) if found != "year"))
            for name, formula in self.formulas.items()
        }

    @cached_property
    def below(self) -> Mapping[str, tuple[tuple[str, bool], ...]]:
        """The facts and steps that stand in the formula of each step, and which are facts."""
        return {
            name: tuple(
                (below, below in self.inputs)
                for below in direct
                if below in self.inputs or below in self.formulas
            )
            for name, direct in self.direct.items()
        }

    def reached(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """The names that these steps rest on, themselves included, each after what it rests on."""
        order: dict[str, None] = {}

        def visit(name: str) -> None:
            if name in order:
                return
            for below in self.direct.get(name, ()):
                visit(below)
            order[name] = None

        for name in wanted:
            visit(name)
        return tuple(order)


@dataclass
class _Reading:
    faults: list[Fault] = field(default_factory=list)
    where: dict[tuple[str, str], tuple[str, Places]] = field(default_factory=dict)

    def fault(self, kind: str, name: str, keys: tuple[str, ...], message: str, remedy: str) -> None:
        file, places = self.where[kind, name]
        self.faults.append(Fault(file, places.describe((kind, name, *keys)), message, remedy))


def read_book(folder: Path = FOLDER) -> tuple[Book, list[Fault]]:
    """Read every data file below a folder, with every fault of every file."""
    reading = _Reading()
    kinds = ("input", "parameter", "step", "programme", "act", "left_out")
    tables: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.toml")):
        content, file = path.read_bytes(), path.relative_to(folder).as_posix()
        digest.update(file.encode() + b"\0" + hashlib.sha256(content).digest())
        _take(file, content, tables, reading)
    if not tables["programme"]:
        reading.faults.append(Fault(folder.name, "the folder", "no programme", "add a TOML file"))
    scope = _scope(tables, reading)
    formulas = _formulas(tables["step"], scope, reading)
    book = Book(
        inputs=tables["input"],
        parameters=tables["parameter"],
        steps=tables["step"],
        programmes=tables["programme"],
        formulas=formulas,
        version=digest.hexdigest(),
        acts=tables["act"],
        left_out=tables["left_out"],
    )
    _check_circles(book, reading)
    _check_programmes(book, reading)
    return book, reading.faults


@cache
def the_book_as_read() -> tuple[Book, list[Fault]]:
    """The project's own book, and its faults: types are made of it before anybody is told."""
    return read_book()


def the_book() -> Book:
    """The project's own book. Raises FaultyConfiguration."""
    book, faults = the_book_as_read()
    if faults:
        raise FaultyConfiguration(faults)
    return book


def _take(file: str, content: bytes, tables: dict[str, dict[str, Any]], reading: _Reading) -> None:
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"is not TOML: {error}"
        reading.faults.append(Fault(file, "the file", message, "correct the line named"))
        return
    places = Places(text)
    try:
        found = _File.model_validate(document)
    except ValidationError as error:
        reading.faults += shape_faults(file, places, error)
        return
    for kind, known in tables.items():
        for name, entry in getattr(found, kind).items():
            if name in known:
                before = reading.where[kind, name][0]
                reading.where[kind, name] = (file, places)
                message = f"{kind} `{name}` stands in {before} already"
                reading.fault(kind, name, (), message, "give one of them another name")
                continue
            known[name] = entry
            reading.where[kind, name] = (file, places)


def _scope(tables: Mapping[str, Mapping[str, Any]], reading: _Reading) -> dict[str, Symbol]:
    """What every name stands for; a name stands for one thing."""
    scope: dict[str, Symbol] = {"year": Symbol(Type("number"))}
    for kind in ("input", "step", "parameter"):
        for name, entry in tables[kind].items():
            if name in scope:
                message = f"`{name}` names something else already"
                reading.fault(kind, name, (), message, "give one of them another name")
                continue
            if isinstance(entry, Parameter):
                continue
            options = getattr(entry, "options", ())
            scope[name] = Symbol(Type(entry.type, options=options), entry.of)
            if isinstance(entry, Input):
                _check_input(name, entry, reading)
    for name, entry in tables["parameter"].items():
        by = scope.get(entry.by) if entry.by else None
        if entry.by and (by is None or by.of is None):
            remedy = nearest(entry.by, (key for key, symbol in scope.items() if symbol.of))
            reading.fault("parameter", name, ("by",), f"unknown name `{entry.by}`", remedy)
        figure = Type(entry.type, exact=entry.type == "rate")
        scope.setdefault(name, Symbol(figure, by=by.type if by else None))
        _check_figures(name, entry, by, reading)
    return scope


def _check_input(name: str, entry: Input, reading: _Reading) -> None:
    if (entry.type == "code") != bool(entry.options):
        message = "`options` are for codes, and a code needs them"
        reading.fault("input", name, ("options",), message, "list its codes, or leave them out")
    if entry.declared is not None and (entry.type == "yes-no") != isinstance(entry.declared, bool):
        message = f"`declared` is no {entry.type}"
        reading.fault("input", name, ("declared",), message, "correct the value")


def _check_figures(name: str, entry: Parameter, by: Symbol | None, reading: _Reading) -> None:
    seen: set[tuple[str, int]] = set()
    for figure in entry.figures:
        spelled = f"of {figure.first_year}"
        if (figure.year is None) == (figure.since is None):
            message = f"the figure {spelled} says not just one of `year` and `since`"
            reading.fault("parameter", name, ("figures",), message, "give it one of the two")
        key = ("year" if figure.year else "since", figure.first_year)
        if key in seen:
            message = f"there are two figures {spelled}"
            reading.fault("parameter", name, ("figures",), message, "leave one of them out")
        seen.add(key)
        for message, remedy in _value_faults(entry, figure, by):
            reading.fault(
                "parameter", name, ("figures",), f"the figure {spelled} {message}", remedy
            )


def _value_faults(entry: Parameter, figure: Figure, by: Symbol | None) -> Iterator[tuple[str, str]]:
    value = figure.value
    if isinstance(value, Mapping):
        shape, cells = "code", tuple(value.values())
        if by is not None and set(value) != set(by.type.options):
            yield (
                "has not the codes of what it goes by",
                "give one for each of " + ", ".join(f"`{option}`" for option in by.type.options),
            )
    elif isinstance(value, tuple):
        shape, cells = "number", value
        if list(value) != sorted(value) or not value:
            yield "is no list that grows with the size", "correct the list"
        if entry.beyond and len(value) < 2:
            yield "has no last step to go on by", "list two sizes at least"
    else:
        shape, cells = "", (value,)
    if shape != (by.type.unit if by is not None else ""):
        yield "is not shaped as `by` says", "give a figure, a list by size or a table by code"
    if entry.type != "rate" and any(not isinstance(cell, int) for cell in cells):
        yield f"is no whole {entry.type}", "write it whole, or make the parameter a rate"


def _formulas(
    steps: Mapping[str, Step], scope: Mapping[str, Symbol], reading: _Reading
) -> dict[str, Expression]:
    formulas: dict[str, Expression] = {}
    for name, step in steps.items():
        try:
            found = parse(step.formula, scope, step.of)
            if found.type.exact:
                raise FaultyFormula("may give a fraction", "round it: `round(…)`")
            if found.type.unit not in (step.type, "any") or (
                found.type.unit == "any" and step.type not in ("won", "number")
            ):
                message = f"gives a {found.type}, and the step is a {step.type}"
                raise FaultyFormula(message, "correct `type` or the formula")
        except FaultyFormula as fault:
            reading.fault("step", name, ("formula",), fault.message, fault.remedy)
        else:
            formulas[name] = found
    return formulas


def _check_circles(book: Book, reading: _Reading) -> None:
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " → ".join((*above[above.index(name) :], name))
            message = f"rests on itself: {circle}"
            reading.fault("step", name, ("formula",), message, "break the circle")
            return
        if name not in done:
            for below in book.direct.get(name, ()):
                visit(below, (*above, name))
            done.add(name)

    for name in book.formulas:
        visit(name, ())


def _check_programmes(book: Book, reading: _Reading) -> None:
    keys: dict[str, str] = {}
    for code, entry in book.programmes.items():
        if entry.key in keys:
            message = f"the key `{entry.key}` is another programme's already"
            reading.fault("programme", code, ("key",), message, "give it another")
        keys[entry.key] = code
        wanted = [("conditions", name, "yes-no", "household") for name in entry.conditions]
        wanted += [("measure", entry.measure or "", "won", "household")] * bool(entry.measure)
        wanted += [("financial", entry.financial or "", "won", "household")] * bool(entry.financial)
        wanted += [("threshold", entry.threshold or "", "won", "household")] * bool(entry.threshold)
        wanted += [("assessed", entry.assessed or "", "yes-no", "member")] * bool(entry.assessed)
        wanted += [("pays", entry.pays.step, "won", "household")] if entry.pays else []
        for key, name, unit, level in wanted:
            step = book.steps.get(name)
            if step is None:
                reading.fault(
                    "programme", code, (key,), f"unknown step `{name}`", nearest(name, book.steps)
                )
            elif (step.type, step.of) != (unit, level):
                message = f"`{name}` is no {unit} of {level}"
                reading.fault("programme", code, (key,), message, "name another step")
        if bool(entry.measure) != bool(entry.threshold):
            message = "has a measure without a threshold, or the contrary"
            reading.fault("programme", code, (), message, "give both")
        for text in entry.not_modelled:
            if text not in book.left_out:
                message, remedy = f"`{text}` has no Korean words", "add them to `[left_out]`"
                reading.fault("programme", code, ("not_modelled",), message, remedy)
        if entry.decidable and not (entry.basis and entry.basis_mark):
            message = "is decided without saying by which article or guide"
            reading.fault("programme", code, (), message, "add `basis` and `basis_mark`")
