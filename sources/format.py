"""The format of a declaration: the tables of its TOML file, and what may stand in each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from sources.category import CATEGORIES, Sensitivity
from sources.declaration import ItemType, Mark, Renewal
from sources.fault import nearest
from sources.group import Group, read_group
from sources.terms import Seconds, Strict, Terms


def _category(value: str) -> str:
    if value == "existence":
        raise ValueError("`existence` is of the item that comes by itself; use another category")
    if value not in CATEGORIES:
        remedy = nearest(value, set(CATEGORIES) - {"existence"})
        raise ValueError(f"unknown category `{value}`; {remedy}")
    return value


def _tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class SourceTable(Terms):
    """`[source]`: the agency, how it is asked, and the terms."""

    agency: str
    agency_ko: str = ""
    description: str
    adapter: str
    batch: int = Field(default=100, ge=1, le=10_000)
    timeout: Seconds = 2.0
    field: str | None = None
    found_by: str | None = None
    updated: Renewal | None = None
    cite: str | None = None


class ItemTable(Strict):
    """`[item.NAME]`, or a column of a list."""

    description: str
    type: ItemType
    category: Annotated[str, AfterValidator(_category)]
    wire: str | None = None
    per: Literal["year", "month"] | None = None
    counts_as: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = ()
    reports: str | None = None
    rank: int = 100
    codes: dict[str, str] = Field(default_factory=dict)
    whereabouts: bool = False
    description_ko: str = ""
    sensitivity: Sensitivity | None = None
    updated: Renewal | None = None
    mark: Mark = "K"
    cite: str | None = None
    group: Annotated[Group | None, BeforeValidator(read_group)] = None


class CaseTable(Strict):
    """`[case]`: what a register of cases holds on one."""

    item: dict[str, Any] = Field(default_factory=dict)


class ListTable(Strict):
    """`[item.LIST]` of the type `list`."""

    description: str
    description_ko: str = ""
    type: Literal["list"]
    wire: str | None = None
    counts_when: dict[str, str] = Field(default_factory=dict)
    item: dict[str, dict[str, Any]]
