"""Taking keys out of units of work, which otherwise are never changed once they are done."""

import json
from collections.abc import Callable

import polars as pl

from dataproc_assets.storage.layout import done_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.scored import part_figures
from dataproc_assets.storage.segments import delete_segment

METRICS, SEGMENTS, PAIRS, DISTANCES = (
    *("units/metrics", "units/segments", "units/pairs"),
    "units/distances",
)
ANY_SOURCE = "representatives"  # the folder of the parts of what runs on one member of a cluster
KEYS = ".keys.parquet"

Taken = Callable[[pl.Series], pl.Series]


def scrub_scores(store: ObjectStore, source: str, taken: Taken) -> list[str]:
    """Take a source's keys out of all that was computed of pixels, whatever model it was by.

    Metric parts lose their rows and stay done. Segments of embeddings go whole, with the pairs
    that were found of them: the next search makes them again of the parts.

    Args:
        taken: of some image keys, those that are to go.

    Returns the paths that were changed or deleted, sorted.
    """
    touched = [
        path
        for path in store.list(METRICS)["path"]
        if path.endswith(".parquet") and path.split("/")[-2] in (source, ANY_SOURCE)
        if _scrub_part(store, path, taken)
    ]
    segments = [
        path.removesuffix(KEYS)
        for path in store.list(SEGMENTS)["path"]
        if path.endswith(KEYS) and path.split("/")[-2] == source
        if len(taken(from_parquet(store.get(path))["image_key"]))
    ]
    names = {path.rpartition("/")[2] for path in segments}
    for path in segments:
        delete_segment(store, path)
    pairs = [path for path in store.list(PAIRS)["path"] if any(name in path for name in names)]
    for path in pairs:
        store.delete(path)
    distances = [path for path in store.list(DISTANCES)["path"] if _scrub_pairs(store, path, taken)]
    return sorted([*touched, *segments, *pairs, *distances])


def _scrub_part(store: ObjectStore, path: str, taken: Taken) -> bool:
    """Rewrite a part without some rows, its done mark last; whether it had any of them."""
    keys = pl.scan_parquet(store.uri(path), glob=False).select("image_key").collect()["image_key"]
    gone = taken(keys)
    if gone.is_empty():
        return False
    frame = from_parquet(store.get(path)).filter(~pl.col("image_key").is_in(gone.implode()))
    mark = done_path(path)
    try:
        about = json.loads(store.get(mark))
    except FileNotFoundError:  # of a run that was killed: the next one writes the whole part
        store.delete(path)
        return True
    data = to_parquet(frame)
    store.delete(mark)
    store.put(path, data)
    store.put(mark, json.dumps({**about, **part_figures(frame, data)}, sort_keys=True).encode())
    return True


def _scrub_pairs(store: ObjectStore, path: str, taken: Taken) -> bool:
    frame = from_parquet(store.get(path))
    gone = taken(pl.concat([frame["a"], frame["b"].rename("a")]).unique()).implode()
    kept = frame.filter(~pl.col("a").is_in(gone), ~pl.col("b").is_in(gone))
    if kept.height < frame.height:
        store.put(path, to_parquet(kept))
    return kept.height < frame.height
