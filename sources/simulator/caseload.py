"""A caseload in bulk deliveries, with a truth planted in it: who receives the basic pension wrongly.

Made by SQL over whole numbers; a value is a hash of the seed, what it is and whose. What is planted
is worked out here by plain arithmetic, apart from the rules of the hub, which this knows nothing of:
who is not entitled is above the threshold by as little as one won, who is entitled may be at it.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sources.declaration import Source
from sources.fault import FaultyConfiguration
from sources.reading import read_catalogue
from sources.simulator.places import DISTRICTS

DAY = "2026-10-31"
MONTH = "2026-10"
PROGRAMME = "basic-pension"
PEOPLE, RECIPIENTS = 14_000_000, 7_151_000
"""The people, and of them the recipients, of the whole; smaller caseloads are in proportion."""
FEWEST = 100
NOT_ENTITLED, PAID_TWICE, DEAD = 179_000, 20_000, 5_000
_FULL, _OF_A_COUPLE = 349_700, 279_760
"""The pension a month of one person, and of each of a couple who both receive it (2026, K)."""
_NONCE = b"planted once"


@dataclass(frozen=True)
class Shape:
    """How many households there are of each kind, and how many of them are planted how."""

    recipients: int

    def of(self, whole: int) -> int:
        """As many as `whole` are in the whole caseload, at least one."""
        return max(1, round(self.recipients * whole / RECIPIENTS))

    @property
    def people(self) -> int:
        """All people, the recipients among them."""
        return round(self.recipients * PEOPLE / RECIPIENTS)

    @property
    def couples_not_entitled(self) -> int:
        """Couples of whom both receive, and neither is entitled."""
        return self.of(NOT_ENTITLED) // 7

    def homes(self) -> Mapping[str, tuple[int, int]]:
        """Households of each kind, with how many people live in each."""
        count = self.recipients
        couples, mixed, wide = count // 5, count * 12 // 100, count * 8 // 100
        single = count - 2 * couples - mixed - wide
        unseen, rich = self.of(RECIPIENTS // 100), count // 20
        left = self.people - single - 2 * couples - 2 * mixed - 3 * wide - unseen - rich
        return {
            "single": (single, 1),
            "couple": (couples, 2),
            "mixed": (mixed, 2),
            "wide": (wide, 3),
            "unseen": (unseen, 1),
            "rich": (rich, 1),
            "family": (left * 4 // 5 // 4, 4),
            "other": (left - 4 * (left * 4 // 5 // 4), 1),
        }

    def planted(self) -> Mapping[str, Mapping[str, tuple[int, int]]]:
        """By kind of household: what is planted, from which place on and up to which."""
        wrong, couples = self.of(NOT_ENTITLED), self.couples_not_entitled
        mixed, wide = wrong // 5, wrong // 10
        single = wrong - 2 * couples - mixed - wide
        dead, twice = self.of(DEAD), self.of(PAID_TWICE)
        of_couples = twice // 4
        some = self.of(RECIPIENTS // 500)
        ranges = _ranges(
            dead=dead,
            wrong=single,
            twice=twice - of_couples,
            edge=some,
            abroad=some,
            custody=some,
            decoy=some,
        )
        # Some are not entitled and paid twice.
        start, end = ranges["twice"]
        ranges["twice"] = (start - single // 50, end - single // 50)
        return {
            "single": ranges,
            "couple": _ranges(wrong=couples, twice=of_couples, overpaid=some),
            "mixed": _ranges(wrong=mixed, edge=some),
            "wide": _ranges(wrong=wide, edge=some),
        }


def _ranges(**counts: int) -> dict[str, tuple[int, int]]:
    found, start = {}, 0
    for name, count in counts.items():
        found[name] = (start, start + count)
        start += count
    return found


def _home_kinds(shape: Shape) -> str:
    """Rows of kind, first household, households, first person, people in each."""
    rows, home, person = [], 0, 0
    for kind, (count, size) in shape.homes().items():
        rows.append(f"('{kind}', {home}, {count}, {person}, {size})")
        home, person = home + count, person + count * size
    return ", ".join(rows)


_SALTS = itertools.count(1)


def _below(bound: int, of: str = "h") -> str:
    """A draw of its own, below a bound, for a household or a person."""
    return f"(hash({of}, {next(_SALTS)}, $seed) % {bound})::BIGINT"


def _some(per_100: int, value: str, of: str = "h") -> str:
    return f"CASE WHEN {_below(100, of)} < {per_100} THEN {value} ELSE 0 END"


def _in(name: str, shape: Shape) -> str:
    """Whether a household is one of those planted so."""
    parts = [
        f"(kind = '{kind}' AND place BETWEEN {ranges[name][0]} AND {ranges[name][1] - 1})"
        for kind, ranges in shape.planted().items()
        if name in ranges and ranges[name][1] > ranges[name][0]
    ]
    return " OR ".join(parts) or "false"


def _coprime(count: int) -> int:
    """A step that goes through all of `count` places, so that what is planted lies scattered."""
    step = int(count * 0.6180339887) | 1
    while math.gcd(step, count) != 1:
        step += 2
    return step


def deliver(
    folder: Path,
    shape: Shape,
    seed: int,
    key: bytes,
    say: Callable[[str], None],
    declarations: Path,
) -> None:
    """Write the deliveries of every agency, and the truth, sealed by the key. Raises OSError."""
    catalogue, faults = read_catalogue(declarations, list(_deliveries()), "resident", "benefits")
    if faults:
        raise FaultyConfiguration(faults)
    sources = catalogue.sources
    folder.mkdir(parents=True, exist_ok=True)
    database = duckdb.connect(config={"temp_directory": str(folder / "spill")})
    database.execute("SET preserve_insertion_order = false")
    database.execute("SET enable_progress_bar = false")
    bound: dict[str, Any] = {"seed": seed}
    count = sum(homes for homes, _ in shape.homes().values())
    say("households")
    database.execute(
        "CREATE TABLE district AS SELECT * FROM (SELECT unnest($c) code, unnest(range(len($c))) n)",
        {"c": list(DISTRICTS.codes)},
    )
    database.execute(_homes(shape, count), bound)
    database.execute(_planted(shape))
    say("people")
    database.execute(_people(), bound)
    for name, parts in _deliveries().items():
        say(name)
        (folder / name).mkdir(exist_ok=True)
        for part, query in parts.items():
            path = folder / name / f"{part}-{DAY}.parquet"
            whole = _whole(database, query.replace("$seed", str(seed)), sources[name], part)
            database.execute(f"COPY ({whole}) TO '{path}' (FORMAT parquet, COMPRESSION snappy)")
    say("truth")
    truth = io.BytesIO()
    pyarrow.parquet.write_table(database.sql(_truth()).to_arrow_table(), truth)
    sealed = AESGCM(key).encrypt(_NONCE, truth.getvalue(), None)
    (folder / "truth.sealed").write_bytes(sealed)
    database.close()


def _homes(shape: Shape, count: int) -> str:
    """Households by number: kind, place among their kind, and what they own and earn."""
    return f"""
CREATE TABLE home0 AS
WITH kinds(kind, first_home, homes, first_person, size) AS (VALUES {_home_kinds(shape)}),
placed AS (SELECT h, (h * {_coprime(count)} + 17) % {count} AS p FROM range({count}) r(h))
SELECT h, kind, p - first_home AS place, first_person + (p - first_home) * size AS person, size,
  {_below(len(DISTRICTS.codes))} AS d,
  {_some(70, f"100000 + {_below(500)} * 1000")} AS pension0,
  CASE WHEN kind = 'couple' THEN {_some(60, f"100000 + {_below(500)} * 1000")} ELSE 0 END AS pension1,
  {_some(60, f"{_below(30_000)} * 1000")} AS bank0,
  CASE WHEN kind IN ('couple', 'mixed') THEN {_some(40, f"{_below(20_000)} * 1000")} ELSE 0 END AS bank1,
  {_below(100)} AS lives,
  20000000 + {_below(130_000)} * 1000 AS house,
  10000000 + {_below(90_000)} * 1000 AS deposit,
  {_some(10, f"{_below(30_000)} * 1000")} AS land,
  {_some(20, f"1000000 + {_below(11_000)} * 1000")} AS car,
  {_some(15, f"{_below(40_000)} * 1000")} AS debt,
  {_some(12, f"3000000 + {_below(17_000)} * 1000")} AS wage,
  {_below(10)} < 3 AS tax_knows_interest,
  {_below(4)} AS more
FROM placed JOIN kinds ON p >= first_home AND p < first_home + homes
"""


def _planted(shape: Shape) -> str:
    """The households with what is planted, by plain arithmetic over what they own and earn.

    4 % a year of assets is a three-hundredth a month.
    """
    return f"""
CREATE TABLE home AS
WITH known AS (
  SELECT *, code, kind IN ('couple', 'mixed') AS pair,
    CASE WHEN code[1:2] IN ('11', '26', '27', '28', '29', '30', '31')
        OR code[1:4] IN ('4111', '4128', '4146', '4812') THEN 135000000
      WHEN code[3:3] IN ('7', '8', '9') THEN 72500000 ELSE 85000000 END AS free,
    CASE WHEN kind = 'rich' THEN 3000000000 ELSE bank0 END AS balance,
    lives < 50 AS owns, lives BETWEEN 50 AND 84 AS rents,
    {_in("dead", shape)} AS dead, {_in("wrong", shape)} AS wrong, {_in("twice", shape)} AS twice,
    {_in("edge", shape)} AS edge, {_in("abroad", shape)} AS abroad, {_in("custody", shape)} AS custody,
    {_in("decoy", shape)} AS decoy, {_in("overpaid", shape)} AS overpaid
  FROM home0 JOIN district ON d = n
),
worked AS (
  SELECT *, CASE WHEN pair THEN 3952000 ELSE 2470000 END AS most,
    CASE WHEN tax_knows_interest AND balance > 0 THEN balance // 50 + 12 ELSE balance // 50 END AS interest,
    greatest(0, (2 * wage + 12) // 24 - 1160000) AS above,
    greatest(0, CASE WHEN owns THEN house ELSE 0 END + CASE WHEN rents THEN deposit ELSE 0 END
      + land + car - free + greatest(0, balance + bank1 - 20000000) - debt) AS net
  FROM known
),
summed AS (
  SELECT *, above - (6 * above + 10) // 20 AS wage_counted, (2 * net + 300) // 600 AS of_assets FROM worked
),
based AS (
  SELECT *, wage_counted + pension0 + pension1 + (2 * interest + 12) // 24
    + of_assets AS base
  FROM summed
)
SELECT *,
  CASE WHEN wrong THEN CASE WHEN kind = 'single' THEN place % 7 ELSE place % 6 END END AS cause,
  most - base + CASE WHEN place % 3 = 0 THEN 1 ELSE 1 + more * 250000 + place % 1000 END AS gap,
  CASE WHEN kind = 'mixed' AND place % 2 = 1 THEN 1 ELSE 0 END AS whose
FROM based
"""


def _people() -> str:
    """Everyone, by their place in the household, with their numbers."""
    return f"""
CREATE TABLE person AS
WITH each AS (
  SELECT home.*, nth, person + nth AS i FROM home, range(4) r(nth) WHERE nth < size
),
aged AS (
  SELECT *, CASE
      WHEN kind IN ('single', 'couple', 'unseen', 'rich') AND cause IS NOT DISTINCT FROM 6 THEN 1963 + {_below(8, "i")}
      WHEN kind IN ('single', 'couple', 'unseen', 'rich') OR nth = 0 AND kind IN ('mixed', 'wide') THEN 1935 + {_below(26, "i")}
      WHEN kind = 'mixed' THEN 1963 + {_below(9, "i")}
      WHEN kind = 'wide' AND nth = 2 OR kind = 'family' AND nth >= 2 THEN 2008 + {_below(18, "i")}
      ELSE 1968 + {_below(32, "i")} END AS year,
    1 + {_below(12, "i")} AS month, 1 + i // 1000000 + 14 * {_below(2, "i")} AS day,
    CASE WHEN nth < 2 AND size > 1 THEN 1 + nth ELSE 1 + {_below(2, "i")} END AS sex
  FROM each
)
SELECT *, CASE WHEN kind IN ('single', 'couple') OR nth = 0 AND kind IN ('mixed', 'wide') THEN true ELSE false END AS receives,
  lpad((year % 100)::VARCHAR, 2, '0') || (month + 80)::VARCHAR || lpad(day::VARCHAR, 2, '0') || '-'
  || (sex + CASE WHEN year >= 2000 THEN 2 ELSE 0 END)::VARCHAR
  || lpad(((i % 1000000 * 7919 + 4321) % 1000000)::VARCHAR, 6, '0') AS id
FROM aged
"""


def _deliveries() -> Mapping[str, Mapping[str, str]]:
    """What each agency delivers, by its declaration: a query for each part."""
    elder = "kind NOT IN ('family', 'other')"
    return {
        "resident": {
            "people": f"""
SELECT id, make_date(year, month, day) AS "birthDate", sex::VARCHAR AS sex, code AS district,
  CASE WHEN dead THEN 'deceased' ELSE 'resident' END AS "registrationStatus",
  CASE WHEN dead THEN DATE '2026-01-10' + ({_below(240, "i")})::INTEGER
    WHEN decoy AND place % 2 = 0 THEN DATE '2026-10-05' END AS "deathDate",
  CASE WHEN NOT dead THEN 'H' || lpad(h::VARCHAR, 8, '0') END AS "householdId",
  CASE WHEN nth = 0 THEN 'head' WHEN kind IN ('couple', 'mixed') OR kind = 'family' AND nth = 1 THEN 'spouse'
    WHEN kind = 'wide' AND nth = 2 THEN 'grandchild' ELSE 'child' END AS "relationToHead",
  DATE '2010-01-01' + ({_below(5000, "h")})::INTEGER AS "moveInDate", FALSE AS "safeAddress"
FROM person"""
        },
        "tax": {
            "people": """
SELECT id AS resident_number,
  CASE WHEN kind IN ('family', 'other') AND nth < 2 AND year < 2005 OR kind = 'wide' AND nth = 1
      THEN 24000000 + hash(i, 99, $seed) % 60000 * 1000
    WHEN cause = 1 AND nth = whose THEN 12 * (1160000 + ((wage_counted * (nth = 0)::BIGINT + gap) * 10) // 7 + 2)
    WHEN cause = 2 AND nth = whose THEN NULL
    WHEN nth = 0 AND wage > 0 THEN wage END::BIGINT AS earned_income,
  NULL::BIGINT AS business_income,
  CASE WHEN nth = 0 AND tax_knows_interest AND balance > 0 THEN balance // 50 + 12 END::BIGINT AS interest_income,
  NULL::BIGINT AS dividend_income, NULL::BIGINT AS rental_income,
  CASE WHEN nth = 0 AND pension0 > 0 AND lives % 2 = 0 THEN pension0 * 11 END::BIGINT AS pension_income,
  CASE WHEN cause = 0 AND nth = whose THEN 12 * gap WHEN edge AND nth = 0 THEN 12 * (most - base)
  END::BIGINT AS other_income
FROM person WHERE kind IN ('family', 'other') AND nth < 2 AND year < 2005 OR kind = 'wide' AND nth = 1
  OR nth = 0 AND (wage > 0 OR tax_knows_interest OR pension0 > 0 OR edge) OR cause IN (0, 1)"""
        },
        "labour": {
            "people": """
SELECT id AS "RRNO", 'Y' AS "INSR_YN" FROM person
WHERE nth < 2 AND kind IN ('family', 'other') AND year < 2005 AND i % 2 = 0 OR cause = 2 AND nth = whose
  OR nth = 0 AND wage > 0""",
            "jobs": """
SELECT id AS "RRNO", NULL::DATE AS "END_YMD",
  CASE WHEN cause = 2 THEN 1160000 + ((wage_counted * (nth = 0)::BIGINT + gap) * 10) // 7 + 2
    WHEN wage > 0 THEN wage // 12 ELSE 2400000 END::BIGINT AS "MM_PAY"
FROM person WHERE nth < 2 AND kind IN ('family', 'other') AND year < 2005 AND i % 2 = 0
  OR cause = 2 AND nth = whose OR nth = 0 AND wage > 0 AND cause IS DISTINCT FROM 2
UNION ALL
SELECT id, DATE '2019-03-31', 9000000 FROM person WHERE receives AND i % 5 = 0
  AND (nth < 2 AND kind IN ('family', 'other') AND year < 2005 AND i % 2 = 0
    OR cause = 2 AND nth = whose OR nth = 0 AND wage > 0)""",
        },
        "property": {
            "people": """
SELECT id AS resident_no FROM person
WHERE nth = 0 AND (owns OR rents OR land > 0 OR car > 0) OR cause IN (4, 5) AND nth = whose""",
            "land": f"SELECT id AS resident_no, land AS official_price FROM person WHERE nth = 0 AND land > 0 AND {elder}",
            "buildings": """
SELECT id AS resident_no, code AS district, 'apartment' AS main_use, house AS official_price
FROM person WHERE nth = 0 AND owns
UNION ALL
SELECT id, CASE WHEN code = '11110' THEN '26110' ELSE '11110' END, 'shop',
  free + debt + 300 * (of_assets + gap + 1) FROM person WHERE cause = 4 AND nth = whose""",
            "leases": """
SELECT id AS resident_no, 'tenant' AS party_role, deposit FROM person WHERE nth = 0 AND rents
UNION ALL
SELECT id, 'landlord', 900000000 FROM person WHERE nth = 0 AND owns AND receives AND i % 50 = 0""",
            "vehicles": f"""
SELECT id AS resident_no, car AS standard_value FROM person WHERE nth = 0 AND car > 0 AND {elder}
UNION ALL SELECT id, 45000000 FROM person WHERE cause = 5 AND nth = whose
UNION ALL SELECT id, 61000000 FROM person WHERE kind = 'wide' AND nth = 1 AND i % 7 = 0""",
        },
        "banks": {
            "people": """
SELECT id AS resident_no FROM person
WHERE nth = 0 AND (balance > 0 OR debt > 0) OR nth = 1 AND bank1 > 0 OR cause = 3 AND nth = whose
  OR kind = 'wide' AND nth = 1""",
            "accounts": """
SELECT id AS resident_no, balance, balance // 50 AS interest FROM person WHERE nth = 0 AND balance > 0
UNION ALL SELECT id, bank1, 0 FROM person WHERE nth = 1 AND bank1 > 0
UNION ALL SELECT id, 20000000 + free + debt + 300 * (of_assets + gap + 1), 0 FROM person
  WHERE cause = 3 AND nth = whose
UNION ALL SELECT id, 400000000, 8000000 FROM person WHERE kind = 'wide' AND nth = 1""",
            "loans": "SELECT id AS resident_no, debt AS balance FROM person WHERE nth = 0 AND debt > 0",
        },
        "nationalPension": {
            "people": """
SELECT id, CASE WHEN nth = 0 THEN pension0 ELSE pension1 END::BIGINT AS "oldAgePension",
  NULL::BIGINT AS "disabilityPension", NULL::BIGINT AS "survivorsPension", NULL::BIGINT AS "silverLoanBalance"
FROM person WHERE nth = 0 AND pension0 > 0 AND kind NOT IN ('family', 'other') OR nth = 1 AND pension1 > 0"""
        },
        "industrialAccident": {
            "people": """
SELECT id AS resident_no, 1500000 + i % 1000 AS "temporaryDisability", NULL::BIGINT AS "disabilityPension",
  NULL::BIGINT AS "survivorsPension", NULL::BIGINT AS "injuryPension",
  NULL::BIGINT AS "pneumoconiosisPension"
FROM person WHERE kind IN ('family', 'other', 'rich') AND i % 200 = 0"""
        },
        "localTax": {
            "people": "SELECT id AS resident_no FROM person WHERE kind = 'rich' OR kind = 'family' AND nth = 0",
            "memberships": """
SELECT id AS resident_no, 90000000 AS value FROM person WHERE kind = 'rich' AND i % 3 = 0
UNION ALL SELECT id, 120000000 FROM person WHERE kind = 'wide' AND nth = 1 AND i % 9 = 0""",
        },
        "immigration": {
            "people": """
SELECT id, CASE WHEN abroad THEN DATE '2026-06-01' + (i % 60)::INTEGER
  WHEN decoy AND place % 2 = 1 THEN DATE '2026-10-02' END AS "abroadSince"
FROM person WHERE abroad OR decoy AND place % 2 = 1 OR i % 400 = 0"""
        },
        "corrections": {
            "people": """
SELECT id, CASE WHEN custody THEN DATE '2026-03-01' + (i % 180)::INTEGER ELSE DATE '2012-05-01' END AS "custodySince",
  CASE WHEN NOT custody THEN DATE '2014-05-01' END AS "custodyUntil"
FROM person WHERE custody OR receives AND i % 1000 = 0"""
        },
        "benefits": {
            "people": "SELECT id AS resident_no FROM person WHERE receives",
            "receipts": f"""
SELECT id AS resident_no, '{PROGRAMME}' AS programme, 'office-' || code AS office, '{MONTH}' AS month,
  CASE WHEN kind = 'couple' AND NOT overpaid THEN {_OF_A_COUPLE} ELSE {_FULL} END::BIGINT AS amount,
  'paid' AS state
FROM person WHERE receives
UNION ALL
SELECT id, '{PROGRAMME}', CASE WHEN code = '11110' THEN 'office-26110' ELSE 'office-11110' END, '{MONTH}',
  {_FULL} - 100000, CASE WHEN twice THEN 'paid' ELSE 'reclaimed' END
FROM person WHERE twice AND nth = 0 OR decoy AND nth = 0""",
        },
    }


_SQL = {"Won": "BIGINT", "Int": "BIGINT", "Float": "DOUBLE", "Boolean": "BOOLEAN", "Date": "DATE"}


def _whole(database: Any, query: str, source: Source, part: str) -> str:
    """The query with what else the agency declares to deliver, of which nobody has anything."""
    made = [row[0] for row in database.execute(f"DESCRIBE {query}").fetchall()]
    bulk = source.bulk
    lacking = {
        item.wire[-1]: "VARCHAR" if item.codes else _SQL.get(item.type, "VARCHAR")
        for item in source.items
        if bulk is not None
        and item.subject == "person"
        and item.path[:-1] == (() if part == "people" else (part,))
        and item.path
        and bulk.delivers(item.path)
        and item.wire[-1] not in made
    }
    columns = "".join(f', NULL::{kind} AS "{name}"' for name, kind in lacking.items())
    return f"SELECT *{columns} FROM ({query})"


def _truth() -> str:
    """Who is to be found, and as what."""
    return """
SELECT id AS recipient, 'ineligible' AS kind FROM person WHERE receives AND wrong
UNION ALL SELECT id, 'same-programme' FROM person WHERE receives AND twice AND nth = 0
UNION ALL SELECT id, 'after-death' FROM person WHERE dead
UNION ALL SELECT id, 'overpaid' FROM person WHERE receives AND overpaid
UNION ALL SELECT id, 'abroad' FROM person WHERE abroad AND nth = 0
UNION ALL SELECT id, 'in-custody' FROM person WHERE custody AND nth = 0
UNION ALL SELECT id, 'blind-spot' FROM person WHERE kind = 'unseen'"""


@dataclass(frozen=True)
class Score:
    """How what was found compares with what was planted; by kind: planted, found, both."""

    precision: float
    recall: float
    by_kind: Mapping[str, Mapping[str, int]]


def score(folder: Path, findings: str, key: bytes) -> Score:
    """Compare findings, a glob of Parquet files, with the sealed truth.

    Raises cryptography's InvalidTag where the key is another.
    """
    opened = AESGCM(key).decrypt(_NONCE, (folder / "truth.sealed").read_bytes(), None)
    truth = pyarrow.parquet.read_table(io.BytesIO(opened))
    database = duckdb.connect()
    database.register("truth", truth)
    rows = database.execute(
        """
WITH found AS (SELECT DISTINCT recipient, kind FROM read_parquet($findings) WHERE kind <> 'undecided')
SELECT kind, count(t.recipient), count(f.recipient), count(*) FILTER (t.recipient = f.recipient)
FROM truth t FULL JOIN found f USING (recipient, kind) GROUP BY kind ORDER BY kind""",
        {"findings": findings},
    ).fetchall()
    planted, found, both = (sum(row[column] for row in rows) for column in (1, 2, 3))
    return Score(
        precision=both / found if found else 0.0,
        recall=both / planted if planted else 0.0,
        by_kind={
            kind: {"planted": of_truth, "found": of_found, "both": of_both}
            for kind, of_truth, of_found, of_both in rows
        },
    )
