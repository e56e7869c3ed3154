"""What the hub says of itself: the sources it can ask, and the purposes open to a caller."""

from __future__ import annotations

from collections.abc import Iterator

from authz.caller import Caller
from authz.register import Register
from hub.gather import Gatherer
from schema.access import LegalBasis, Purpose, SourceState
from sources.declaration import Catalogue


def source_states(catalogue: Catalogue, gatherer: Gatherer) -> Iterator[SourceState]:
    """Every enabled source, and how it answered last."""
    for name, source in catalogue.sources.items():
        health = gatherer.health[name]
        yield SourceState(
            name=name,
            agency=source.agency,
            agency_ko=source.agency_ko,
            description=source.description,
            adapter=source.adapter,
            items=sum(not item.is_exists for item in source.items),
            state=health.state,
            last_answered=health.last_answered,
        )


def purposes_of(register: Register, caller: Caller) -> Iterator[Purpose]:
    """The purposes open to a caller's roles, with what each may see."""
    for code, purpose in sorted(register.purposes.items()):
        if purpose.roles & caller.roles:
            basis = purpose.legal_basis
            yield Purpose(
                code=code,
                title=purpose.title,
                legal_basis=LegalBasis(act=basis.act, article=basis.article),
                roles=sorted(purpose.roles),
                case_needed=purpose.case_needed,
                items=list(purpose.allowed_items),
            )
