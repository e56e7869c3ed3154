"""The caller: the authenticated natural persons behind a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts for another person (RFC 8693); `recipient` is their id as a resident."""

    person: str
    recipient: str | None
    issuer: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `recipient` is the id they have as a resident themselves, where the token says.

    Where somebody acts for `person`, `actors` are who does and who did before, the last first.
    Roles, office and district are those the delegation carries.
    """

    person: str
    recipient: str | None
    roles: frozenset[str]
    office: str | None
    district: str | None
    issuer: str
    actors: tuple[Actor, ...] = ()

    @property
    def recipients(self) -> tuple[str | None, ...]:
        """The ids as residents of everyone who would see an answer; None for one not known."""
        return (self.recipient, *(actor.recipient for actor in self.actors))

    @property
    def residents(self) -> tuple[str, ...]:
        """The ids as residents of everyone who would see an answer, of those known, once each."""
        return tuple(dict.fromkeys(each for each in self.recipients if each is not None))
