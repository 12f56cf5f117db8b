"""A metric's part of one unit: its rows, its file, and the statistics that say it is done."""

import json
import time
from dataclasses import dataclass, field
from importlib.metadata import version

import polars as pl

from dataproc_assets.jobs.prepare import Prepared
from dataproc_assets.storage.layout import done_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.scored import part_figures

ROW_SCHEMA = pl.Schema(
    {"image_key": pl.String, "version": pl.String, "status": pl.String, "error": pl.String}
)
NOT_FINITE = "not_finite: the model gave NaN or an infinite number"


@dataclass
class PartRows:
    """The rows of a part as they come: every image has one, those that are ok have values."""

    columns: pl.Schema
    rows: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    _values: list[pl.DataFrame] = field(default_factory=list)

    def add(self, image: Prepared) -> None:
        """A row, without the metric's values."""
        request = image.request
        self.rows.append((request.image_key, request.version, image.status, image.error))

    def add_values(self, keys: list[str], values: pl.DataFrame) -> None:
        """The metric's columns of the ok rows with these keys."""
        self._values.append(values.insert_column(0, pl.Series("image_key", keys)))

    def frame(self) -> pl.DataFrame:
        """All rows sorted by image_key; the metric's columns are null where it is not ok.

        A row that was ok until the model gave no value for it has failed: the same picture gives
        the same again.
        """
        empty = pl.DataFrame(schema={"image_key": pl.String, **self.columns})
        values = pl.concat([empty, *self._values])
        rows = pl.DataFrame(self.rows, schema=ROW_SCHEMA, orient="row").sort("image_key")
        rows = rows.join(values, on="image_key", how="left", validate="1:1", maintain_order="left")
        nothing = (pl.col("status") == "ok") & pl.all_horizontal(pl.col(*self.columns).is_null())
        return rows.with_columns(
            status=pl.when(nothing).then(pl.lit("failed")).otherwise("status"),
            error=pl.when(nothing).then(pl.lit(NOT_FINITE)).otherwise("error"),
        )


def is_done(store: ObjectStore, part: str) -> bool:
    """Whether a part is there and none of its rows may still be retried."""
    try:
        return json.loads(store.get(done_path(part)))["retry"] == 0
    except FileNotFoundError:
        return False


def write_part(
    store: ObjectStore, part: str, frame: pl.DataFrame, about: dict[str, object]
) -> None:
    """Write a part, then its statistics: they are the done mark.

    An older mark is taken away first, so that it never vouches for another file.
    """
    start = time.monotonic()
    store.delete(done_path(part))
    data = to_parquet(frame)
    store.put(part, data)
    seconds = about["seconds"]
    assert isinstance(seconds, dict)
    statistics = {
        **about,
        "seconds": {**seconds, "write": time.monotonic() - start},
        **part_figures(frame, data),
        "torch": version("torch"),
    }
    store.put(done_path(part), json.dumps(statistics, sort_keys=True).encode())
