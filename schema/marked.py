"""That a value is marked as wrong, as it is shown with the value."""

from __future__ import annotations

import datetime
from enum import Enum

import strawberry

from schema.needs import covered


@strawberry.enum(description="Why a value is wrong.")
class WrongBecause(Enum):
    """A word, so that the log can say why without saying anything of the value."""

    NOT_SO = "NOT_SO"
    OUTDATED = "OUTDATED"
    ANOTHER_PERSON = "ANOTHER_PERSON"
    MISSING = "MISSING"
    TWICE = "TWICE"


@strawberry.enum(description="How far a correction is.")
class CorrectionState(Enum):
    """Filed, brought to the source, and what the source said; or taken back."""

    FILED = "FILED"
    WITH_SOURCE = "WITH_SOURCE"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


@strawberry.type(description="That a value is marked as wrong; its source has not answered.")
class Marked:
    """Shown with the value until the source confirms that it is corrected, or that it stands."""

    source: strawberry.Private[str]
    item: str = covered("The data item.")
    why: WrongBecause = covered("Why it is said to be wrong.")
    state: CorrectionState = covered("FILED, or WITH_SOURCE.")
    since: datetime.datetime = covered("When it was marked.")
