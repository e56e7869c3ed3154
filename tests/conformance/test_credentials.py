"""Stand-ins take the credentials that a declaration sends, and every way of asking by REST."""

from __future__ import annotations

from pathlib import Path

import pytest

from sources.conformance.run import grade
from tests.conformance.conftest import Examine

HEAD = """\
[source]
agency = "Pensions"
agency_ko = "연금"
description = "Pensions"
adapter = "rest"
batch = {batch}

[rest]
url = "${{PENSION_URL}}/api"
path = "/query"
{asked}
context = {{ purpose = "A", legal_basis = "B", case = "C", operation = "D" }}

"""
ITEMS = """
[item.pension]
description = "Pension"
type = "Won"
category = "benefit"
wire = "money.pension"

[item.since]
description = "Since"
type = "Date"
category = "benefit"

[item.payments]
description = "Payments"
type = "list"

[item.payments.item.month]
description = "Month"
type = "Month"
category = "benefit"
"""
MANY = 'keys = "ask.ids"\nitems = "ask.fields"\nrecords = "data.people"\nkey = "id"\nas_of = "asOf"'
WAYS = {
    "credentials": (
        50,
        MANY,
        '[rest.oauth2]\ntoken_url = "${PENSION_TOKENS}"\nclient_id = "hub"\n'
        'client_secret = "${PENSION_SECRET}"\n'
        '[rest.tls]\nauthority = "${PENSION_AUTHORITY}"\n'
        'certificate = "${PENSION_CERTIFICATE}"\nkey = "${PENSION_KEY}"\n'
        '[rest.signature]\nkey = "${PENSION_SIGNING}"\nkey_id = "hub"\n',
    ),
    "one at a time, by GET": (
        1,
        'method = "GET"\nsingle = true\nkeys = "X-Id"\nitems = "fields"\nrecords = "person"\n'
        'unknown = 404\nkey = "id"\nas_of = "asOf"',
        "",
    ),
    "pages by number": (100, MANY, '[rest.paging]\npage = "ask.page"\npages = "pages"\n'),
    "pages by cursor": (100, MANY, '[rest.paging]\nnext = "more"\ncursor = "ask.after"\n'),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_source_that_is_asked_in_this_way_reaches_gold(
    examine: Examine, tmp_path: Path, way: str
) -> None:
    batch, asked, more = WAYS[way]
    text = HEAD.format(batch=batch, asked=asked) + more + ITEMS
    (tmp_path / "pension.toml").write_text(text)
    results = await examine("pension", folder=tmp_path)
    failed = {name: one.reason for name, one in results.items() if one.verdict == "failed"}
    assert failed == {}
    assert grade(list(results.values())) == "gold"
