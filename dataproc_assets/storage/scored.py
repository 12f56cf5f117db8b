"""What metrics have done, unit by unit: the keys and versions in their finished parts."""

from collections import Counter

import polars as pl

from dataproc_assets.storage.digest import bytes_digest, frame_digest
from dataproc_assets.storage.objects import ObjectStore

FILES_AT_ONCE, ROWS_AT_ONCE = 64, 1 << 18
PART_COLUMNS = pl.Schema({"image_key": pl.String, "version": pl.String, "status": pl.String})


def part_figures(frame: pl.DataFrame, data: bytes) -> dict[str, object]:
    """What a part's done mark says of its rows: how many there are of which status, and digests.

    Args:
        frame: `status`, `error` and more; `failed` counts errors by what stands before a colon.
        data: the part's file.
    """
    failed = frame.filter(pl.col("status") == "failed")["error"].to_list()
    return {
        "rows": frame.height,
        "ok": frame.filter(pl.col("status") == "ok").height,
        "retry": frame.filter(pl.col("status") == "retry").height,
        "failed": dict(sorted(Counter(error.partition(":")[0] for error in failed).items())),
        "bytes": len(data),
        "sha256": bytes_digest(data),
        "digest": frame_digest(frame),
    }


def done_rows(store: ObjectStore, parts: list[str]) -> pl.LazyFrame:
    """`image_key`, `version` of what these parts of a metric have scored or failed for good.

    Of the parts' files no other column is read.
    """
    if not parts:
        return PART_COLUMNS.to_frame().lazy().select("image_key", "version")
    uris = [store.uri(path) for path in parts]
    rows = pl.scan_parquet(uris, glob=False, hive_partitioning=False)
    return rows.filter(pl.col("status") != "retry").select("image_key", "version")


def keys_in(store: ObjectStore, parts: list[str]) -> pl.LazyFrame:
    """`image_key` and `part` of every row of some parts, of whatever models; at least one part."""
    paths = {store.uri(path): path for path in parts}
    rows = pl.scan_parquet(
        list(paths),
        glob=False,
        hive_partitioning=False,
        include_file_paths="part",
        extra_columns="ignore",  # parts of different models have different ones
    )
    return rows.select("image_key", pl.col("part").replace_strict(paths))


def parts_holding(store: ObjectStore, parts: list[str], keys: pl.Series) -> list[str]:
    """Those of some parts of a metric that have rows of some images, in their order.

    Of the parts' files no other column is read.
    """
    if not parts or keys.is_empty():
        return []
    rows = keys_in(store, parts).filter(pl.col("image_key").is_in(keys.implode()))
    held = set(rows.select("part").unique().collect()["part"])
    return [path for path in parts if path in held]


def unit_batches(parts: dict[str, list[str]], unit_rows: int) -> list[dict[str, list[str]]]:
    """The parts of some units at a time: metric -> paths, in the same order of units.

    What one pass did over these units then gives equal `done_rows` for each of its metrics.

    Args:
        parts: metric -> the paths of its finished parts, `…/{unit}.{metric}.parquet`.
        unit_rows: how many rows a unit has.
    """
    by_unit = {
        metric: {path.rpartition("/")[2].partition(".")[0]: path for path in paths}
        for metric, paths in parts.items()
    }
    units = sorted({unit for paths in by_unit.values() for unit in paths})
    size = max(1, min(FILES_AT_ONCE, ROWS_AT_ONCE // unit_rows))
    batches = (units[start : start + size] for start in range(0, len(units), size))
    return [
        {
            metric: [paths[unit] for unit in batch if unit in paths]
            for metric, paths in by_unit.items()
        }
        for batch in batches
    ]
