"""What a means test is made of in GraphQL: amounts, conditions, what lacks, trace and notice."""

from __future__ import annotations

import datetime

import strawberry

from schema.needs import covered
from schema.scalars import Won


@strawberry.type(description="What an amount lies within: both ends count, null for no limit.")
class Bounds:
    """An amount, exact where both ends are the same."""

    least: Won | None = covered("It is not less.")
    most: Won | None = covered("It is not more.")
    exact: Won | None = covered("It, where it is known to the won.")


@strawberry.type(description="A condition of a programme, beside the comparison of amounts.")
class TestCondition:
    """One condition."""

    name: str = covered("The step of the rule.")
    en: str = covered("What it is.")
    ko: str = covered("What it is, in Korean.")
    met: bool | None = covered("Whether it is met; null where that is not known.")
    basis: str = covered("The article or guide.")
    mark: str = covered("S: a public source names it; K: to be checked.")


@strawberry.type(description="A fact that lacks, without which nothing can be decided.")
class MissingFact:
    """One fact that is not known."""

    fact: str = covered("The fact.")
    en: str = covered("What it is.")
    ko: str = covered("What it is, in Korean.")
    member: int | None = covered("Of which member: 1 is the applicant; null: of the household.")
    why: str = covered("withheld, unavailable, or no source: no enabled agency tells it.")
    settled_by: list[str] = covered("The sources that would settle it.")


@strawberry.type(description="An agency that would settle what is open.")
class SettlingAgency:
    """A source, with its agency."""

    source: str = covered("The source's name.")
    agency: str = covered("The agency.")
    agency_ko: str | None = covered("The agency, in Korean.")


@strawberry.type(description="What only the household can tell, and did not.")
class Assumed:
    """Counted as none by the rule itself."""

    fact: str = covered("The fact.")
    en: str = covered("What it is.")
    ko: str = covered("What it is, in Korean.")


@strawberry.type(description="An amount that a step came to.")
class PartAmount:
    """An amount by name."""

    name: str = covered("The step of the rule.")
    en: str = covered("What it is.")
    ko: str = covered("What it is, in Korean.")
    asset: str | None = covered("The class of assets it is of.")
    amount: Bounds = covered("Won; of several members, the sum of theirs.")


@strawberry.type(description="What a programme pays.")
class Payable:
    """An amount and how often."""

    amount: Bounds = covered("Won.")
    per: str = covered("month, year or once.")
    at_most: bool = covered("What is due may be less, by rules that are not modelled.")


@strawberry.type(
    description="The amounts of a means test, won a month unless it is said otherwise."
)
class TestAmounts:
    """The figures between the facts and the result."""

    income: list[PartAmount] = covered("Income by kind, as counted.")
    income_deductions: list[PartAmount] = covered("What is deducted from it.")
    income_evaluation: Bounds | None = covered("Income as evaluated.")
    assets: list[PartAmount] = covered("Assets by class as counted, won.")
    asset_deductions: list[PartAmount] = covered("Deductions, and what they leave, won.")
    asset_converted: list[PartAmount] = covered("What each class is converted to.")
    converted_assets: Bounds | None = covered("All assets, converted.")
    recognised_income: Bounds | None = covered("Income as evaluated and assets as converted.")
    threshold: Bounds | None = covered("What recognised income must not be above.")
    margin: Bounds | None = covered("The threshold less recognised income.")
    payable: Payable | None = covered("What is due; null where nothing is or no rule tells.")


@strawberry.type(description="Where a value came from.")
class FactOrigin:
    """A source and its items."""

    source: str = covered("The source.")
    items: list[str] = covered("The data items.")
    as_of: datetime.date | None = covered("The date the source says its data is of.")


@strawberry.type(description="A value that a step used.")
class StepInput:
    """A fact or the value of a step before."""

    name: str = covered("The fact or step.")
    en: str = covered("What it is.")
    ko: str = covered("What it is, in Korean.")
    member: int | None = covered("Of which member: 1 is the applicant.")
    value: str = covered("The value, readable.")
    amount: Bounds | None = covered("The value, where it is an amount or a number.")
    provenance: list[FactOrigin] = covered("Where a fact came from.")
    hypothetical: bool = covered("The caller put it in.")
    missing: str | None = covered("Why it is not known, where it is not.")


@strawberry.type(description="A figure of law or statistics that a step used.")
class StepParameter:
    """A figure with where it stands."""

    name: str = covered("The parameter.")
    en: str = covered("What it is.")
    ko: str = covered("What it is, in Korean.")
    key: str | None = covered("The size or code it was looked up by, of a table.")
    value: str | None = covered("The figure.")
    year: int | None = covered("The year it is of.")
    since: int | None = covered("The year since which it stands.")
    mark: str = covered("S: a public source names it; K: to be checked.")
    source: str = covered("Where it stands.")


@strawberry.type(description="A rounding that was made.")
class StepRounding:
    """Before and after."""

    how: str = covered("half up, down or up.")
    before: str = covered("The exact amount, perhaps a fraction.")
    after: Won = covered("The whole amount.")


@strawberry.type(
    description="One step of a means test, in the order they are taken: a row of a table."
)
class Step:
    """A step with all that went into it."""

    name: str = covered("The step.")
    en: str = covered("What it is.")
    ko: str = covered("What it is, in Korean.")
    part: str = covered("Its part in the test, such as `income` or `threshold`.")
    asset: str | None = covered("The class of assets it is of.")
    member: int | None = covered("For which member: 1 is the applicant; null: for the household.")
    formula: str = covered("The formula.")
    value: str = covered("What it came to, readable.")
    amount: Bounds | None = covered("What it came to, where it is an amount or a number.")
    inputs: list[StepInput] = covered("The values it used.")
    parameters: list[StepParameter] = covered("The figures it used.")
    roundings: list[StepRounding] = covered("The roundings made, where all was known.")
    source: str = covered("The article or guide.")
    mark: str = covered("S: a public source names it; K: to be checked.")


@strawberry.type(description="A result in plain words, to be handed to the person it is about.")
class PlainNotice:
    """The same in two languages."""

    ko: str = covered("In Korean.")
    en: str = covered("In English.")
