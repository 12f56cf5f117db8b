"""Taking keys out of units of work, which otherwise are never changed once they are done."""

import json
from collections.abc import Callable

import polars as pl
from polars.exceptions import PolarsError

from dataproc_assets.storage.layout import done_path, scrubbed_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.scored import keys_in, part_figures
from dataproc_assets.storage.segments import delete_segment

METRICS, SEGMENTS, PAIRS, DISTANCES = (
    *("units/metrics", "units/segments", "units/pairs"),
    "units/distances",
)
ANY_SOURCE = "representatives"  # the folder of the parts of what runs on one member of a cluster
KEYS = ".keys.parquet"
SEARCHED = pl.Schema(dict.fromkeys(("entries", "path", "version"), pl.String))
FILES_AT_ONCE = 256  # of parts, whose keys are read together

Taken = Callable[[pl.Series], pl.Series]


def scrub_scores(store: ObjectStore, source: str, taken: Taken, entries: str) -> list[str]:
    """Take a source's keys out of all that was computed of pixels, whatever model it was by.

    Metric parts lose their rows and stay done. Segments of embeddings go whole, with the pairs
    that were found of them: the next search makes them again of the parts. A file that was
    searched for the same entries is not read again.

    Args:
        taken: of some image keys, those that are to go.
        entries: a digest of what `taken` goes by.

    Returns the paths that were changed or deleted, sorted.
    """
    files = _computed(store, source)
    known = _searched(store, source).filter(entries=entries)
    fresh = files.join(known, on=["path", "version"], how="anti")["path"].to_list()
    parts = _holding(store, [path for path in fresh if path.startswith(f"{METRICS}/")], taken)
    for path in parts:
        _scrub_part(store, path, taken)
    segments = [
        path.removesuffix(KEYS)
        for path in fresh
        if path.startswith(f"{SEGMENTS}/")
        if len(taken(from_parquet(store.get(path))["image_key"]))
    ]
    names = {path.rpartition("/")[2] for path in segments}
    listed = store.list(PAIRS)["path"] if names else ()
    pairs = [path for path in listed if any(name in path for name in names)]
    for path in pairs:  # before the segments, which tell a killed call's successor of them
        store.delete(path)
    for path in segments:
        delete_segment(store, path)
    found = [path for path in fresh if path.startswith(f"{DISTANCES}/")]
    distances = [path for path in found if _scrub_pairs(store, path, taken)]
    if fresh:
        # whoever writes one of these again as it was gives it the version that it had
        gone = [*parts, *(f"{path}{KEYS}" for path in segments), *distances]
        touched = pl.Series(gone, dtype=pl.String).implode()
        clean = files.filter(~pl.col("path").is_in(touched))
        rows = clean.select(pl.lit(entries).alias("entries"), "path", "version")
        store.put(scrubbed_path(source), to_parquet(rows))
    return sorted([*parts, *segments, *pairs, *distances])


def _computed(store: ObjectStore, source: str) -> pl.DataFrame:
    """`path` and `version` of the files that may hold a source's keys, sorted by path."""
    folder = pl.col("path").str.split("/").list.get(-2)
    parts = store.list(METRICS).filter(
        pl.col("path").str.ends_with(".parquet"), folder.is_in([source, ANY_SOURCE])
    )
    segments = store.list(SEGMENTS).filter(pl.col("path").str.ends_with(KEYS), folder == source)
    files = pl.concat([parts, segments, store.list(DISTANCES)])
    return files.select("path", "version").sort("path")


def _searched(store: ObjectStore, source: str) -> pl.DataFrame:
    """What was searched before, in SEARCHED; nothing where that was not kept whole."""
    try:
        return from_parquet(store.get(scrubbed_path(source)))
    except (FileNotFoundError, PolarsError):
        return SEARCHED.to_frame()


def _holding(store: ObjectStore, parts: list[str], taken: Taken) -> list[str]:
    """Those of some parts that have a key that is to go."""
    held: list[str] = []
    for start in range(0, len(parts), FILES_AT_ONCE):
        rows = keys_in(store, parts[start : start + FILES_AT_ONCE]).collect()
        gone = taken(rows["image_key"]).implode()
        held.extend(rows.filter(pl.col("image_key").is_in(gone))["part"].unique().sort())
    return held


def _scrub_part(store: ObjectStore, path: str, taken: Taken) -> None:
    """Rewrite a part without the rows that are to go, its done mark last."""
    frame = from_parquet(store.get(path))
    frame = frame.filter(~pl.col("image_key").is_in(taken(frame["image_key"]).implode()))
    mark = done_path(path)
    try:
        about = json.loads(store.get(mark))
    except FileNotFoundError:  # of a run that was killed: the next one writes the whole part
        store.delete(path)
        return
    data = to_parquet(frame)
    store.delete(mark)
    store.put(path, data)
    store.put(mark, json.dumps({**about, **part_figures(frame, data)}, sort_keys=True).encode())


def _scrub_pairs(store: ObjectStore, path: str, taken: Taken) -> bool:
    frame = from_parquet(store.get(path))
    gone = taken(pl.concat([frame["a"], frame["b"].rename("a")]).unique()).implode()
    kept = frame.filter(~pl.col("a").is_in(gone), ~pl.col("b").is_in(gone))
    if kept.height < frame.height:
        store.put(path, to_parquet(kept))
    return kept.height < frame.height
