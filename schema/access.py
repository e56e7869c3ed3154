"""What a caller may ask before asking: the purposes open to them, and the state of the sources."""

from __future__ import annotations

import datetime
from enum import Enum

import strawberry

from schema.needs import covered


@strawberry.enum(description="How a source answered when it was last asked.")
class Health(Enum):
    """The state of a source as the hub last saw it."""

    UNTRIED = "UNTRIED"
    UP = "UP"
    FAILING = "FAILING"


@strawberry.type(description="An agency's system that the hub can ask.")
class SourceState:
    """A source and how it answered last."""

    name: str = covered("Its name: the first part of its data items' names.")
    agency: str = covered("The agency.")
    agency_ko: str = covered("The agency's Korean name.")
    description: str = covered("What it holds.")
    adapter: str = covered("The protocol it speaks.")
    items: int = covered("How many data items it declares.")
    state: Health = covered("How it answered when it was last asked.")
    last_answered: datetime.datetime | None = covered("When it last answered as it should.")


@strawberry.type(description="The legal basis of a purpose.")
class LegalBasis:
    """Act and article."""

    act: str = covered("The act.")
    article: str = covered("The article.")


@strawberry.type(description="A reason to ask, with what it may see.")
class Purpose:
    """A purpose open to the caller."""

    code: str = covered("The code that the `Hub-Purpose` header takes.")
    title: str = covered("What it is for.")
    legal_basis: LegalBasis = covered("The law it rests on.")
    roles: list[str] = covered("The roles that may use it.")
    case_needed: bool = covered("Whether the `Hub-Case` header must name a case.")
    items: list[str] = covered("The data items it may see.")


@strawberry.type(description="What is decided for one data item.")
class ItemDecision:
    """A decision with its reason."""

    item: str = covered("The data item, derived answer or act.")
    decision: str = covered("allow, reduce or deny.")
    rule: str = covered("The rule it rests on.")
    legal_basis: LegalBasis = covered("The law that the purpose rests on.")
    remedy: str = covered("How to mend a denial; empty where there is none.")
    use: str | None = covered(
        "What the item is asked for, where it is not to be returned: filter, sort, count, or a "
        "derived answer."
    )


@strawberry.type(description="What would be decided for an operation, without asking any agency.")
class Access:
    """The decisions on an operation, as far as they need no fact about a person or a case."""

    allowed: bool = covered("Whether nothing is denied.")
    items: list[ItemDecision] = covered("Every item that the operation touches, and every act.")
