"""The segments of a source's embeddings: made of the metric parts, kept while these are there."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from dataproc_assets.dedup.items import quantised
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import searches_path, segments_folder, segments_path
from dataproc_assets.storage.segments import (
    KEYS_SCHEMA,
    delete_segment,
    read_keys,
    segment_names,
    write_segment,
)

PART = ["part", "part_version"]


def folder(lake: Lake) -> str:
    """The folder of all segments of the compared metric."""
    metric = lake.project.dedup.embedding
    return segments_folder(metric, lake.parts.fingerprint(metric))


def make_segments(lake: Lake, source: str) -> dict[str, pl.DataFrame]:
    """The keys of each of a source's segments, by its name below `folder`, `{source}/{digest}`.

    Parts that no segment holds get new ones; a segment with a part that changed or is gone goes,
    and its other parts are taken up afresh.

    Raises:
        ValueError: an embedding is zero or not finite; the image's key is named.
    """
    metric = lake.project.dedup.embedding
    own = segments_path(metric, lake.parts.fingerprint(metric), source)
    parts = lake.parts.versions(metric, source)
    kept: dict[str, pl.DataFrame] = {}
    gone: list[str] = []
    for name in segment_names(lake.store, own):
        keys = read_keys(lake.store, f"{own}/{name}")
        held = keys.select(PART).unique().rows()
        if all(parts.get(part) == version for part, version in held):
            kept[f"{source}/{name}"] = keys
            for part, _ in held:
                del parts[part]
        else:
            gone.append(name)
    _forget(lake, own, gone)
    for keys, vectors in _cut(_vectors(lake, parts), lake.project.dedup.search.segment_rows):
        kept[f"{source}/{write_segment(lake.store, own, keys, vectors)}"] = keys
    return kept


def _forget(lake: Lake, own: str, names: list[str]) -> None:
    """Delete segments, and the pairs that were found of them."""
    for name in names:
        delete_segment(lake.store, f"{own}/{name}")
    metric = lake.project.dedup.embedding
    searches = searches_path(metric, lake.parts.fingerprint(metric))
    for path in lake.store.list(searches)["path"] if names else ():
        if any(name in path for name in names):
            lake.store.delete(path)


def _vectors(lake: Lake, parts: dict[str, str]) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
    """Keys and vectors of each part with a scored image."""
    column = f"{lake.project.dedup.embedding}_embedding"
    for part, version in parts.items():
        scored = (
            lake.parts.scan(part)
            .filter(pl.col("status") == "ok", pl.col(column).is_not_null())
            .select("image_key", "version", column)
            .sort("image_key", "version")
            .collect()
        )
        if scored.height:
            keys = scored.select(
                "image_key", "version", part=pl.lit(part), part_version=pl.lit(version)
            )
            yield keys.select(*KEYS_SCHEMA), quantised(scored["image_key"], scored[column])


def _cut(
    parts: Iterator[tuple[pl.DataFrame, np.ndarray]], rows: int
) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
    """Whole parts put together, as many as `rows` hold, and one at least."""
    waiting: list[tuple[pl.DataFrame, np.ndarray]] = []
    for keys, vectors in parts:
        if waiting and sum(len(other) for other, _ in waiting) + len(keys) > rows:
            yield _together(waiting)
            waiting = []
        waiting.append((keys, vectors))
    if waiting:
        yield _together(waiting)


def _together(waiting: list[tuple[pl.DataFrame, np.ndarray]]) -> tuple[pl.DataFrame, np.ndarray]:
    return pl.concat([keys for keys, _ in waiting]), np.concatenate([v for _, v in waiting])
