"""Rules of law as data, `schema/law/`: deadlines of applications, and when receipts are too many.

Every rule has its act or guide, its article and its mark.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from schema.rules.book import the_book
from sources.fault import Fault, FaultyConfiguration, Places, nearest, shape_faults

FOLDER = Path(__file__).with_name("law")
_Month = Annotated[int, Field(ge=1, le=12)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Basis(_Strict):
    """What a rule rests on; `mark` is S (sourced) or K (to be checked)."""

    act: str = Field(min_length=1)
    article: str = Field(min_length=1)
    mark: Literal["S", "K"]


class Period(Basis):
    """A period of days; how the days are counted stands in the law's `counting`."""

    days: int = Field(ge=1)


Situation = Literal[
    "received", "investigating", "late", "granted", "refused", "decided", "withdrawn", "unknown"
]
"""What there is to be said of an application."""

_BLANKS = dict.fromkeys(("applied", "days", "due", "extended", "decided", "objection"), "")


def _fillable(text: str) -> str:
    try:
        text.format(**_BLANKS)
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"`{{{name}}}`" for name in _BLANKS)
        raise ValueError(f"has a blank that nothing fills; use {known}") from error
    return text


_Text = Annotated[str, Field(min_length=1), AfterValidator(_fillable)]


class Words(_Strict):
    """A text in Korean and English, with blanks for dates and numbers."""

    ko: _Text
    en: _Text


def _every(explanation: dict[Situation, Words]) -> dict[Situation, Words]:
    lacking = [name for name in get_args(Situation) if name not in explanation]
    if lacking:
        raise ValueError(f"says nothing of `{lacking[0]}`; add it")
    return explanation


class ApplicationLaw(_Strict):
    """By when an application is decided, and how each situation is said to whoever applied."""

    decision: Period
    decision_extended: Period
    counting: Basis
    objection: Period
    explanation: Annotated[dict[Situation, Words], AfterValidator(_every)]


class OfProgrammes(Basis):
    """A rule on receipts of some programmes, by code."""

    programmes: tuple[str, ...] = Field(min_length=1)


class Exclusion(OfProgrammes):
    """Each of `programmes` and each of `excludes` exclude each other, in these calendar months."""

    excludes: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)
    months: tuple[_Month, ...] = tuple(range(1, 13))


class Abroad(OfProgrammes):
    """From which day of a stay abroad the benefit stops, the day after leaving being the first."""

    day: int = Field(ge=1)


class SettledBy(_Strict):
    """Who would settle what no enabled source tells."""

    death: str
    abroad: str
    custody: str
    household: str


class ReceiptLaw(_Strict):
    """When receipts are too many."""

    same_programme: Basis
    after_death: Basis
    household_change: OfProgrammes
    exclusive: tuple[Exclusion, ...]
    abroad: tuple[Abroad, ...]
    custody: tuple[OfProgrammes, ...]
    settled_by: SettledBy

    def rules(self) -> Iterator[tuple[tuple[str, ...], Collection[str]]]:
        """The programmes that each rule names, with its place."""
        yield ("household_change",), self.household_change.programmes
        for number, rule in enumerate(self.exclusive):
            yield ("exclusive", str(number)), (*rule.programmes, *rule.excludes)
        for number, stay in enumerate(self.abroad):
            yield ("abroad", str(number)), stay.programmes
        for number, held in enumerate(self.custody):
            yield ("custody", str(number)), held.programmes


class Law(_Strict):
    """Every rule of `schema/law/`."""

    applications: ApplicationLaw
    receipts: ReceiptLaw


_Table = TypeVar("_Table", bound=_Strict)


def read_law(folder: Path, codes: Collection[str]) -> tuple[Law | None, list[Fault]]:
    """Read the rules, with every fault; `codes` are the keys of the programmes there are."""
    faults: list[Fault] = []
    applications = _read(folder / "applications.toml", ApplicationLaw, faults)
    receipts = _read(folder / "double_receipt.toml", ReceiptLaw, faults)
    if receipts is not None:
        for place, named in receipts.rules():
            faults += [
                Fault(
                    "double_receipt.toml",
                    ".".join(place),
                    f"there is no programme `{code}`",
                    nearest(code, codes),
                )
                for code in named
                if code not in codes
            ]
        for number, rule in enumerate(receipts.exclusive):
            for code in set(rule.programmes) & set(rule.excludes):
                message = f"`{code}` excludes itself"
                remedy = "take it out of one of the two"
                faults.append(Fault("double_receipt.toml", f"exclusive.{number}", message, remedy))
    if applications is None or receipts is None or faults:
        return None, faults
    return Law(applications=applications, receipts=receipts), faults


def _read(path: Path, model: type[_Table], faults: list[Fault]) -> _Table | None:
    try:
        text = path.read_text(encoding="utf-8")
        return model.model_validate(tomllib.loads(text))
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
        faults.append(Fault(path.name, "the file", message, "put it back"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        remedy = "correct the line named"
        faults.append(Fault(path.name, "the file", f"is not TOML: {error}", remedy))
    except ValidationError as error:
        faults += shape_faults(path.name, Places(text), error)
    return None


@functools.cache
def law() -> Law:
    """The hub's own rules. Raises FaultyConfiguration with every fault of their files."""
    found, faults = read_law(FOLDER, the_book().keys)
    if found is None:
        raise FaultyConfiguration(faults)
    return found
