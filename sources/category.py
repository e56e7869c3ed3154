"""The kinds of data an item may be of, and how sensitive the law holds each to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Sensitivity = Literal["ordinary", "financial", "identifier", "sensitive"]

SENSITIVITIES: Mapping[str, str] = {
    "ordinary": "personal data without a rule of its own",
    "financial": "held by financial institutions, asked on written consent (Act on the Use and "
    "Provision of Social Security Benefits, Article 8)",
    "identifier": "a number that the law gives to one person alone (Personal Information "
    "Protection Act, Article 24)",
    "sensitive": "such as health or criminal records (Personal Information Protection Act, "
    "Article 23)",
}
"""What each sensitivity means, the least first."""


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of data: its nearest W3C Data Privacy Vocabulary term, what it covers."""

    dpv: str
    covers: str
    sensitivity: Sensitivity = "ordinary"


CATEGORIES: Mapping[str, Category] = {
    "identity": Category("dpv-pd:Identifying", "who a person is"),
    "contact": Category("dpv-pd:Contact", "where a person lives and can be reached"),
    "family": Category("dpv-pd:Family", "household, relatives, guardians"),
    "income": Category("dpv-pd:Income", "what a person earns"),
    "asset": Category("dpv-pd:OwnershipData", "what a person owns, money apart"),
    "finance": Category(
        "dpv-pd:FinancialAccount", "accounts, securities, insurance, loans", "financial"
    ),
    "employment": Category("dpv-pd:ProfessionalEmployment", "work, insured or not; licences"),
    "benefit": Category("dpv-pd:Benefit", "what the state pays or grants"),
    "housing": Category("dpv-pd:HouseOwned", "public rental and the cost of living somewhere"),
    "education": Category("dpv-pd:Education", "schools and universities"),
    "absence": Category("dpv-pd:TravelHistory", "stays abroad, military service, missing persons"),
    "hardship": Category("dpv-pd:FinancialStatus", "signs of a crisis: arrears, cut-offs, loss"),
    "disability": Category("dpv-pd:Disability", "disabilities and their degree", "sensitive"),
    "health": Category("dpv-pd:Health", "illness, care and treatment", "sensitive"),
    "custody": Category("dpv-pd:CriminalConviction", "imprisonment and probation", "sensitive"),
    "case": Category("dpv-pd:Official", "the cases of the welfare administration"),
    "protection": Category("dpv:SensitivePersonalData", "who is protected from whom", "sensitive"),
    "existence": Category("dpv:PersonalData", "whether a source has a record at all"),
}
"""Every category by name."""
