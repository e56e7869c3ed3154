"""The scalars of the view: money in whole won, and months."""

from __future__ import annotations

import re
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

Won = NewType("Won", int)
Month = NewType("Month", str)


def _parse_won(value: Any) -> Won:
    if type(value) is not int:
        raise GraphQLError("`Won` is a whole number of won, written without quotes or a point")
    return Won(value)


def _parse_month(value: Any) -> Month:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value):
        raise GraphQLError("`Month` is written like `2026-03`")
    return Month(value)


SCALARS: dict[object, ScalarDefinition] = {
    Won: strawberry.scalar(
        name="Won",
        description="An amount in whole South Korean won; may exceed 32 bits.",
        serialize=int,
        parse_value=_parse_won,
    ),
    Month: strawberry.scalar(
        name="Month",
        description="A calendar month, `YYYY-MM`.",
        serialize=str,
        parse_value=_parse_month,
    ),
}
