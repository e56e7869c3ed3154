"""What a programme is to those whom it is offered to. Its rule stands beside that: schema/rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).with_name("programmes")
"""The data files: a programme is a table `[programme.ID]` of one of them."""

_Text = Annotated[str, Field(min_length=1)]


class Programme(BaseModel):
    """A benefit or service with its criterion, whose `mark` is S (sourced) or K (to be checked).

    `key` is what agencies call it in receipts and applications.
    """

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    name_ko: _Text
    name_en: _Text
    ministry: _Text
    target: _Text
    criterion: _Text
    mark: Literal["S", "K"]
