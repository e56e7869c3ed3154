"""A released table as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from hub.population.question import Breakdown
from schema.statistics import PopulationRow

MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def file_of(rows: Sequence[PopulationRow], asked: Breakdown, format_: str) -> bytes:
    """The table's bytes: a column for each dimension, the count, and one for each measure."""
    names = [*asked.dimensions, "count"]
    names += [f"{measure.of} {measure.item}" for measure in asked.measures]
    columns = {name: [] for name in names}  # type: dict[str, list[object]]
    for row in rows:
        values = [group.label for group in row.groups], [row.count], [f.value for f in row.figures]
        for name, value in zip(names, (each for part in values for each in part), strict=True):
            columns[name].append(value)
    if format_ == "csv":
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(names)
        writer.writerows(zip(*columns.values(), strict=True))
        return text.getvalue().encode()
    import pyarrow as pa  # noqa: PLC0415 - heavy, and needed only for a file of this format
    from pyarrow import parquet  # noqa: PLC0415 - the same

    made = io.BytesIO()
    parquet.write_table(pa.table(columns), made)
    return made.getvalue()
