"""The tax office's service."""

from sources.simulator.agency import Agency, flagged, listed, made, turned, whole, word
from sources.simulator.calendar import ASSESSED_YEAR, iso_dates
from sources.simulator.names import (
    SECTORS,
    business_number,
    employer_business_number,
    employer_name,
    shop_name,
)
from sources.simulator.taxes import BUSINESS_STATES, KINDS

AGENCY = Agency(
    name="tax",
    path="/v1/taxpayers/search",
    keys="resident_numbers",
    items="columns",
    records=("result", "taxpayers"),
    key="resident_number",
    as_of="closing_date",
    as_of_value=f"{ASSESSED_YEAR}-12-31",
    known=flagged("tax.known"),
    fields={
        "year": lambda _, rows: [ASSESSED_YEAR] * len(rows),
        "earned_income": whole("tax.earned"),
        "business_income": whole("tax.business"),
        "interest_income": whole("tax.interest"),
        "dividend_income": whole("tax.dividend"),
        "rental_income": whole("tax.rental"),
        "pension_income": whole("tax.pension"),
        "other_income": whole("tax.other"),
        "income_tax": whole("tax.tax"),
        "eitc": whole("tax.work_credit"),
        "ctc": whole("tax.child_credit"),
        "arrears": whole("tax.arrears"),
    },
    lists={
        "withholding_statements": listed(
            "withholding",
            {
                "payer": made("withholding.payer", employer_name),
                "payer_brn": made("withholding.payer", employer_business_number),
                "kind": word("withholding.kind", KINDS),
                "paid": whole("withholding.paid"),
                "withheld": whole("withholding.withheld"),
            },
        ),
        "businesses": listed(
            "business",
            {
                "brn": made("business.number", business_number),
                "name": made("business.name", shop_name),
                "sector": word("business.sector", SECTORS),
                "state": word("business.state", BUSINESS_STATES),
                "opened": turned("business.opened", iso_dates),
                "closed": turned("business.closed", iso_dates),
                "vat_base": whole("business.vat_base"),
            },
        ),
    },
)
