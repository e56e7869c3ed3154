"""Callers and purposes of the tests of oversight."""

from __future__ import annotations

from authz.caller import Actor, Caller
from authz.obligations import Obligations, SecondApprover
from authz.purpose import LegalBasis, Limits, Purpose
from authz.register import Register

ISSUER = "https://id.example"
BASIS = LegalBasis(act="An Act", article="Article 1", mark="K")


def official(name: str, office: str = "office-a", *, resident: str | None = None) -> Caller:
    return Caller(
        person=name,
        recipient=resident or f"r-{name}",
        roles=frozenset({"caseworker", "supervisor"}),
        office=office,
        district="11110",
        issuer=ISSUER,
    )


def acting(caller: Caller, *others: Caller) -> Caller:
    """The same, where others act for them."""
    actors = tuple(Actor(other.person, other.recipient, other.issuer) for other in others)
    return Caller(
        caller.person,
        caller.recipient,
        caller.roles,
        caller.office,
        caller.district,
        caller.issuer,
        actors,
    )


def purpose(code: str, relation: str, obligations: Obligations) -> Purpose:
    return Purpose(
        code=code,
        title=code,
        parent=None,
        legal_basis=BASIS,
        roles=frozenset({"caseworker"}),
        relation=relation,  # type: ignore[arg-type]
        programmes=frozenset({"livelihood"}),
        jurisdiction="none",
        decisions={},
        exists={},
        limits=Limits(subjects_per_operation=1),
        obligations=obligations,
    )


GLASS = purpose("glass", "break-glass", Obligations(reason=40, notice=True, review_days=7))
CASE = purpose(
    "case", "case", Obligations(second_approver=SecondApprover(roles=("supervisor",), hours=8))
)
PLAIN = purpose("plain", "case", Obligations())
REVIEWED = purpose("reviewed", "case", Obligations(notice=True, review_days=3))
REGISTER = Register({each.code: each for each in (GLASS, CASE, PLAIN, REVIEWED)}, "a version")

A, B, C = official("a"), official("b", "office-b"), official("c", "office-c")
REASONS = (
    "Neighbours report smoke from the flat; nobody opens, and the person uses a wheelchair.",
    "Found unconscious on the stairs by the postwoman; the ambulance needs to know of kin.",
    "A child of three stands alone at the bus stop and can say its name, no address known.",
    "The police hold a confused elderly gentleman who cannot tell them where his daughter is.",
)
