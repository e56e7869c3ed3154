"""Employment insurance's service: upper-case names, compact dates, money as text."""

from sources.simulator.agency import (
    Agency,
    Values,
    flagged,
    listed,
    made,
    turned,
    whole,
    word,
)
from sources.simulator.calendar import REFERENCE, compact_dates, compact_months
from sources.simulator.names import OCCUPATIONS, employer_name, workplace_number


def _money(column: str) -> Values:
    return made(column, str)


AGENCY = Agency(
    name="labour",
    path="/eims/inq",
    keys="RRNO_LIST",
    items="ITEM_LIST",
    records=("DATA",),
    key="RRNO",
    as_of="BASE_YMD",
    as_of_value=f"{REFERENCE:%Y%m%d}",
    known=flagged("labour.known"),
    fields={
        "INSR_YN": word("labour.insured", ("N", "Y")),
        "ACQ_YMD": turned("labour.insured_since", compact_dates),
        "LSS_YMD": turned("labour.lost", compact_dates),
        "INSR_DCNT": whole("labour.insured_days"),
        "SEEK_YMD": turned("labour.seeking", compact_dates),
        "HOPE_OCPT": word("labour.wish", OCCUPATIONS),
        "ERA_YMD": turned("labour.reemployed", compact_dates),
    },
    lists={
        "JOB_LIST": listed(
            "job",
            {
                "BPLC_NM": made("job.employer", employer_name),
                "BPLC_NO": made("job.employer", workplace_number),
                "OCPT_NM": word("job.occupation", OCCUPATIONS),
                "EMPT_SE": made("job.contract", str),
                "WK_HR": whole("job.hours"),
                "STRT_YMD": turned("job.start", compact_dates),
                "END_YMD": turned("job.end", compact_dates),
                "MM_PAY": _money("job.pay"),
            },
        ),
        "DW_LIST": listed(
            "daily",
            {
                "WORK_YM": turned("daily.month", compact_months),
                "BPLC_NM": made("daily.employer", employer_name),
                "WORK_DCNT": whole("daily.days"),
                "PAY_AMT": _money("daily.pay"),
            },
        ),
        "UB_LIST": listed(
            "unemployment",
            {
                "FROM_YMD": turned("unemployment.start", compact_dates),
                "TO_YMD": turned("unemployment.until", compact_dates),
                "DD_AMT": _money("unemployment.daily"),
                "PAY_TOT": _money("unemployment.paid"),
                "STTS": made("unemployment.state", lambda code: str(10 * (code + 1))),
            },
        ),
    },
)
