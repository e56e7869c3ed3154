"""Reading which columns a statement gives out."""

import pytest

from sources.simulator.statement import read_statement

TABLES = {
    "owner": ("resident_no", "as_of"),
    "vehicle": ("resident_no", "plate", "engine_cc"),
    "lease": ("resident_no", "deposit", "lease_no"),
}

JOINED = """
SELECT owner.as_of, (SELECT max(lease.deposit) FROM lease
  WHERE lease.resident_no = owner.resident_no)
FROM owner JOIN vehicle ON vehicle.plate = owner.resident_no
"""
LATERAL = """
SELECT owner.as_of FROM owner LEFT JOIN LATERAL (
  SELECT json_agg(vehicle.engine_cc) AS a FROM vehicle
  WHERE vehicle.resident_no = owner.resident_no) AS anon_1 ON true
"""


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT vehicle.plate FROM vehicle", ["vehicle.plate"]),
        ('SELECT "vehicle"."plate" FROM "vehicle"', ["vehicle.plate"]),
        (
            "select v.plate, v.engine_cc as x from vehicle as v",
            ["vehicle.plate", "vehicle.engine_cc"],
        ),
        ("SELECT v.plate FROM vehicle v WHERE v.engine_cc > 0", ["vehicle.plate"]),
        ("SELECT plate FROM vehicle ORDER BY engine_cc", ["vehicle.plate"]),
        ("SELECT plate AS engine_cc FROM vehicle", ["vehicle.plate"]),
        ("SELECT vehicle.plate::text FROM vehicle", ["vehicle.plate"]),
        ("SELECT 'vehicle.plate' FROM vehicle", []),
        ("SELECT /* vehicle.plate */ 1 FROM vehicle", []),
        ("SELECT count(*) FROM vehicle", []),
        ("SELECT lease.* FROM lease", ["lease.resident_no", "lease.deposit", "lease.lease_no"]),
        ("SELECT * FROM owner", ["owner.resident_no", "owner.as_of"]),
        (
            "SELECT coalesce(json_agg(vehicle.plate ORDER BY vehicle.engine_cc), '') FROM vehicle",
            ["vehicle.plate"],
        ),
        (JOINED, ["owner.as_of", "lease.deposit"]),
        (LATERAL, ["owner.as_of", "vehicle.engine_cc"]),
        ("SELECT version()", []),
        ("SELECT pg_class.relname FROM pg_class", []),
    ],
)
def test_columns_of_the_select_lists_are_found_and_no_others(sql: str, columns: list[str]) -> None:
    found = read_statement(sql, TABLES).columns
    assert [".".join(column) for column in found] == columns


def test_text_literals_of_the_condition_are_keys() -> None:
    statement = read_statement("SELECT 'a' FROM owner WHERE resident_no IN ('b', 'c''d')", TABLES)
    assert statement.literals == ("b", "c'd")
    assert statement.tables == ("owner",)
