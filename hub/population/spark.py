"""Spark as the engine: local, or the cluster that Spark's own settings name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hub.population.review_engine import sync


class Spark:
    """Runs the same expressions on Spark (extra `spark`), which needs Java 17 or newer.

    `SPARK_MASTER` (`spark://…`, `yarn`, `k8s://…`) or `SPARK_REMOTE` names a cluster; the folder of
    reviews and the deliveries have to be where all of it reads them.
    """

    def __init__(self, spill: Path, memory: str) -> None:
        import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read
        from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

        spill.mkdir(parents=True, exist_ok=True)
        settings = {
            "spark.driver.memory": memory.removesuffix("B").lower(),
            "spark.local.dir": str(spill),
            "spark.sql.ansi.enabled": "true",  # what does not fit is refused, never wrapped
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",  # `hub review run` shows its own
            "spark.log.level": "ERROR",
        }
        if "SPARK_REMOTE" not in os.environ:
            settings["spark.master"] = os.environ.get("SPARK_MASTER", "local[*]")
        builder = SparkSession.builder.appName("hub review")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self._session: Any = builder.getOrCreate()
        self._session.sql(
            "CREATE OR REPLACE TEMPORARY FUNCTION divide(amount BIGINT, by BIGINT) "
            "RETURNS BIGINT RETURN amount DIV by"
        )
        self.backend = ibis.pyspark.connect(self._session)

    def place_of(self, key: Any, places: int) -> Any:
        """By Spark's own hash."""
        return ((key.hash() % places + places) % places).cast("int64")

    def read(self, path: Path) -> Any:
        """A Parquet file, or a folder, the parts in it included."""
        return self.backend.read_parquet(str(path))

    def bind(self, name: str, path: Path, number: int) -> None:
        """As a view of the part."""
        rows = self._session.read.parquet(str(path))
        rows.where(rows["batch"] == number).drop("batch").createOrReplaceTempView(name)

    def compiled(self, table: Any) -> str:
        """In Spark's SQL, with whole numbers of 64 bits, as the other engine has them."""
        columns = ", ".join(
            f"CAST(`{name}` AS BIGINT) AS `{name}`" if kind.is_integer() else f"`{name}`"
            for name, kind in table.schema().items()
        )
        return f"SELECT {columns} FROM ({self.backend.compile(table)})"  # noqa: S608

    def keep(self, name: str, query: str) -> None:
        """As a view that is worked out once."""
        rows = self._session.sql(query).localCheckpoint()
        rows.createOrReplaceTempView(name)

    def write_parts(self, tables: Iterable[Any], path: Path) -> None:
        """By Spark's partitioned writing."""
        part = path.with_name(f"{path.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        for table in tables:
            rows = self._session.sql(self.compiled(table))
            rows.write.mode("append").partitionBy("batch").parquet(str(part))
        part.rename(path)

    def write(self, query: str, path: Path) -> None:
        """To one Parquet file, as the other engine does, whatever reads it."""
        part = path.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        self._session.sql(query).coalesce(1).write.parquet(str(part))
        [file] = part.glob("part-*.parquet")
        sync(file)
        file.rename(path)
        shutil.rmtree(part)
