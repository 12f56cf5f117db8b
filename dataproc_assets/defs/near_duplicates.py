"""The near-duplicate search over the segments: what is not compared yet, and what came of all."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import combinations, combinations_with_replacement, product

import dagster as dg
import numpy as np
import polars as pl

from dataproc_assets.config.near_duplicates import SearchJobConfig, pairs_fingerprint
from dataproc_assets.dedup import Found, Stacked
from dataproc_assets.defs import segments
from dataproc_assets.defs.distances import known_distances
from dataproc_assets.defs.pipes import messages
from dataproc_assets.defs.run_pass import progress_log
from dataproc_assets.defs.tables import details
from dataproc_assets.jobs.search_pairs import PairSearch
from dataproc_assets.runners import Job, make_runner
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import done_path, pairs_part_path, pairs_path
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.segments import open_vectors
from dataproc_assets.storage.units import SUFFIX

ACROSS = "sources"
Task = tuple[str, str]
Keys = Mapping[str, pl.DataFrame]
"""The keys of each segment, by its name below the folder of segments."""


def within(context: dg.AssetExecutionContext, lake: Lake, source: str) -> tuple[Found, Counter]:
    """The pairs of one source: vectors and pairs, and what it took.

    Raises:
        ValueError: an embedding is zero or not finite, or an image has too many pairs.
        JobFailed: a worker failed; the finished parts stay.
    """
    keys = segments.make_segments(lake, source)
    tasks = list(combinations_with_replacement(sorted(keys), 2))
    return _search(context, lake, keys, tasks, source)


def across(context: dg.AssetExecutionContext, lake: Lake) -> tuple[Found, Counter]:
    """The pairs of two different sources each, as `within`."""
    each = {name: segments.make_segments(lake, name) for name in sorted(lake.project.sources)}
    pairs = combinations(sorted(each), 2)
    tasks = [task for a, b in pairs for task in product(sorted(each[a]), sorted(each[b]))]
    keys = {name: frame for found in each.values() for name, frame in found.items()}
    return _search(context, lake, keys, tasks, ACROSS)


def everything(lake: Lake) -> Found:
    """The vectors of all sources, without pairs."""
    keys = {}
    for name in sorted(lake.project.sources):
        keys |= segments.make_segments(lake, name)
    return _found(lake, keys, [])


def pairs_folder(lake: Lake) -> str:
    """Where the pairs of each two segments lie."""
    config = lake.project.dedup
    fingerprint = lake.parts.fingerprint(config.embedding)
    return pairs_path(config.embedding, fingerprint, pairs_fingerprint(config.cosine))


def _search(
    context: dg.AssetExecutionContext, lake: Lake, keys: Keys, tasks: list[Task], what: str
) -> tuple[Found, Counter]:
    """Compare what has not been compared; then everything that was found."""
    folder = pairs_folder(lake)
    there = set(lake.store.list(folder)["path"])
    marks = {task: done_path(pairs_part_path(folder, *task)) for task in tasks}
    due = [task for task, mark in marks.items() if mark not in there]
    context.log.info(f"{what}: {len(due)} of {len(tasks)} pairs of segments are to be compared")
    if sum(len(keys[a]) * len(keys[b]) for a, b in due) > lake.project.dedup.search.job_pairs:
        _run_job(context, lake, due, what)
    elif due:
        PairSearch(_config(lake), store=lake.store).run(due)
    found = _with_details(lake, _found(lake, keys, tasks), keys, what)
    figures = Counter(segments=len(keys), searched_now=len(due))
    for mark in marks.values():
        figures.update(json.loads(lake.store.get(mark)))
    return found, figures


def _config(lake: Lake) -> SearchJobConfig:
    """What a search in this process is told."""
    runner = lake.project.profile.runner
    return SearchJobConfig.model_validate({**_job_config(lake), **runner.on("cpu").model_dump()})


def _job_config(lake: Lake) -> dict:
    config = lake.project.dedup
    return {
        "storage": lake.store.url,
        "segments": segments.folder(lake),
        "pairs": pairs_folder(lake),
        "cosine": config.cosine,
        "search": config.search.model_dump(mode="json"),
    }


def _run_job(context: dg.AssetExecutionContext, lake: Lake, due: list[Task], what: str) -> None:
    """Compare on the profile's runner. Raises JobFailed."""
    units = {}
    for left, right in due:
        name = pairs_part_path("", left, right).strip("/").removesuffix(".pairs.parquet")
        units[f"{name}{SUFFIX}"] = to_parquet(pl.DataFrame({"left": [left], "right": [right]}))
    job = Job("dataproc_assets.jobs.search_pairs", _job_config(lake), units, f"pairs-{what}")
    runner = make_runner(lake.project.profile.runner, lake.store.url, messages(context))
    result = runner.run(job, progress_log(context, what, "pairs of segments"))
    if result.joined:
        context.log.info(f"{what}: {result.joined} already ran and has ended; now what it left")
        PairSearch(_config(lake), store=lake.store).run(due)


def _found(lake: Lake, keys: Keys, tasks: list[Task]) -> Found:
    """The vectors of the images as they now are, and the pairs among them."""
    names = sorted(keys)
    rows = [
        keys[name].with_row_index("row").with_columns(segment=pl.lit(number, pl.Int32))
        for number, name in enumerate(names)
    ]
    columns = {"image_key": pl.String, "segment": pl.Int32, "row": pl.UInt32}
    alive = pl.DataFrame(schema=columns)
    if rows:
        sources = sorted({name.partition("/")[0] for name in names})
        present, known = (
            pl.concat([lake.read(table, name).select(keep) for name in sources]).collect()
            for table, keep in (("inventory", ["image_key", "version"]), ("augmented", "image_key"))
        )
        alive = (
            pl.concat(rows)
            .join(present, on=["image_key", "version"])
            .join(known, on="image_key", how="semi")
            .sort("image_key", "part", "row")
            .unique("image_key", keep="first", maintain_order=True)
            .select(*columns)
        )
    parts = [open_vectors(lake.store, f"{segments.folder(lake)}/{name}") for name in names]
    segment, row = (alive[name].to_numpy().astype(np.int64) for name in ("segment", "row"))
    places = _places(names, keys, segment, row)
    found = [np.empty((2, 0), np.int64)]
    for left, right in tasks:
        path = pairs_part_path(pairs_folder(lake), left, right)
        pairs = from_parquet(lake.store.get(path))
        i, j = places[left][pairs["i"].to_numpy()], places[right][pairs["j"].to_numpy()]
        found.append(np.stack([i, j])[:, (i >= 0) & (j >= 0)])
    i, j = np.concatenate(found, axis=1)
    return Found(alive["image_key"], Stacked(parts, segment, row), i, j)


def _with_details(lake: Lake, found: Found, keys: Keys, what: str) -> Found:
    """With the thumbnails of what has a pair, which may part it, and what is known of them."""
    paired = found.keys.gather(np.unique(np.concatenate([found.i, found.j])))
    sources = sorted({name.partition("/")[0] for name in keys})
    each = [details(lake, source, paired) for source in sources]
    empty = pl.DataFrame(schema={"image_key": pl.String, "detail": pl.Null})
    thumbs = pl.concat([empty, *each], how="vertical_relaxed")
    return found._replace(details=thumbs, distances=known_distances(lake, what, thumbs))


def _places(
    names: list[str], keys: Keys, segment: np.ndarray, row: np.ndarray
) -> dict[str, np.ndarray]:
    """The position of each row of a segment among the vectors that count, else -1."""
    places = {}
    for number, name in enumerate(names):
        mine = np.flatnonzero(segment == number)
        places[name] = np.full(len(keys[name]), -1)
        places[name][row[mine]] = mine
    return places
