"""Indexes from which indicators of misuse are counted without looking at the rows."""

from __future__ import annotations

from hub.querylog.migrations.online import beside_writers, drop_index, make_index

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make two indexes of one, each row in either; and one of accesses that has all it takes."""
    answered = "kind = 'OUTCOME' AND outcome = 'answered'"
    with beside_writers():
        for name, columns, chosen in (
            ("index_about_released", ["pseudonym", "person", "part"], "part = 'released'"),
            ("index_about_pseudonym", ["pseudonym", "part"], "part <> 'released'"),
        ):
            make_index(name, "index_about", columns, chosen)
        drop_index("index_about_person", "index_about")
        make_index(
            "index_record_access",
            "index_record",
            ["person", "office", "at", "purpose", "idx", "kind", "outcome"],
            answered,
        )
