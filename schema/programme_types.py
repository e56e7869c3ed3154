"""`programmes` in GraphQL: the list, open to every caller, as it holds no personal data."""

from __future__ import annotations

import strawberry

from schema.needs import covered
from schema.programmes import Programme


@strawberry.type(name="Programme", description="A benefit or service, with its criterion.")
class ProgrammeOffered:
    """A programme of the list."""

    id: strawberry.ID = covered("Its number in the public list of services.")
    key: str = covered("What agencies call it in receipts and applications.")
    name_ko: str = covered("Its Korean name.")
    name_en: str = covered("Its English name.")
    ministry: str = covered(
        "The ministries or bodies in charge, abbreviated; `local` is a council."
    )
    target: str = covered("Whom it is for, in words.")
    criterion: str = covered("Who may receive it, in words.")
    mark: str = covered("S: a public source names the criterion; K: to be checked.")


def offered(code: str, programme: Programme) -> ProgrammeOffered:
    """A programme in GraphQL, by its id."""
    return ProgrammeOffered(
        id=strawberry.ID(code),
        key=programme.key,
        name_ko=programme.name_ko,
        name_en=programme.name_en,
        ministry=programme.ministry,
        target=programme.target,
        criterion=programme.criterion,
        mark=programme.mark,
    )
