"""The search over segments: incremental, on a runner or here, always what one search finds."""

import json
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.dedup import find_edges
from dataproc_assets.dedup.found import Found
from dataproc_assets.defs import segments
from dataproc_assets.defs.near_duplicates import across, everything, pairs_folder, within
from dataproc_assets.runners import JobFailed
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets_tests.dedup.build import SEARCH, brute_force, make_items, planted
from dataproc_assets_tests.defs.world import World

WIDTH = 16
SOURCES = ("danbooru", "pixiv")
Images = dict[str, np.ndarray]


def small_world(home: Path, **search: int) -> World:
    """Two sources and nothing in them; segments and blocks so small that there are many."""
    world = World.create(home)
    world.change("dedup.yaml", lambda conf: conf.update(search=SEARCH | search))
    return world


def small_lake(home: Path, **search: int) -> Lake:
    """The lake of a small world."""
    return small_world(home, **search).lake


def write_part(lake: Lake, source: str, unit: str, images: Images, version: str) -> str:
    """A finished part of embeddings."""
    metric = lake.project.dedup.embedding
    path = layout.part_path(metric, lake.parts.fingerprint(metric), source, unit)
    rows = {
        "image_key": list(images),
        "version": [version] * len(images),
        "status": ["ok"] * len(images),
        "error": [None] * len(images),
        f"{metric}_embedding": list(images.values()),
    }
    schema = {"error": pl.String, f"{metric}_embedding": pl.Array(pl.Float32, WIDTH)}
    lake.store.put(path, to_parquet(pl.DataFrame(rows, schema_overrides=schema)))
    lake.store.put(layout.done_path(path), b"{}")
    return path


def write_present(lake: Lake, present: dict[str, str]) -> None:
    """The tables that say which images there are, at which version."""
    for source in SOURCES:
        keys = sorted(key for key in present if key.startswith(source))
        versions = [present[key] for key in keys]
        rows = pl.DataFrame(
            {"image_key": keys, "version": versions},
            schema={"image_key": pl.String, "version": pl.String},
        )
        lake.write("inventory", source, rows, inputs={})
        lake.write("augmented", source, rows.select("image_key"), inputs={})


def children() -> list[int]:
    """The processes that this one has started."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def named(found: Found) -> set[tuple[str, str]]:
    keys = found.keys.to_list()
    pairs = [sorted((keys[i], keys[j])) for i, j in zip(found.i, found.j, strict=True)]
    assert len({tuple(pair) for pair in pairs}) == len(pairs)
    return {(a, b) for a, b in pairs}


def searched(
    lake: Lake, context: dg.AssetExecutionContext | None = None
) -> tuple[set[tuple[str, str]], int]:
    """All pairs, within and across, and how many segments were compared for it."""
    context = context or dg.build_asset_context()
    results = [*(within(context, lake, source) for source in SOURCES), across(context, lake)]
    pairs = [named(found) for found, _ in results]
    assert sum(map(len, pairs)) == len(set.union(*pairs))
    return set.union(*pairs), sum(figures["searched_now"] for _, figures in results)


def expected(images: Images) -> set[tuple[str, str]]:
    keys = sorted(images)
    found = brute_force(np.array([images[key] for key in keys]).reshape(-1, WIDTH), 0.97)
    return {(keys[i], keys[j]) for i, j, _ in found}


@settings(deadline=None, max_examples=8)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_any_history_of_parts_finds_what_one_search_finds(data: st.DataObject, seed: int):
    """Images come, change and go; segments grow, and some of them are lost."""
    pool = planted(60, WIDTH, seed)
    images: Images = {}
    present: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as home:
        lake = small_lake(Path(home), job_pairs=10**9)
        for step in range(3):
            for source in SOURCES:
                numbers = data.draw(st.sets(st.integers(0, 29), max_size=12))
                rows = data.draw(st.permutations(range(60)))
                chosen = {f"{source}/{number}": pool[rows[number]] for number in sorted(numbers)}
                if chosen:
                    write_part(lake, source, f"unit{step}", chosen, f"v{step}")
                images |= chosen
                present |= dict.fromkeys(chosen, f"v{step}")
            for gone in data.draw(st.sets(st.sampled_from(sorted(images) or [""]), max_size=3)):
                images.pop(gone, None), present.pop(gone, None)
            if step and data.draw(st.booleans()):
                for listed in lake.store.list("units/segments")["path"][:2]:
                    lake.store.delete(listed)
            write_present(lake, present)
            pairs, _ = searched(lake)
            assert pairs == expected(images)
        assert sorted(everything(lake).keys) == sorted(images)
        assert searched(lake) == (pairs, 0)


def test_new_images_cost_their_own_part_alone(tmp_path: Path):
    lake = small_lake(tmp_path, job_pairs=10**9)
    images = {f"pixiv/{n}": vector for n, vector in enumerate(planted(40, WIDTH, 1))}
    names = list(images)
    for unit, start in enumerate(range(0, 40, 10)):
        part = {name: images[name] for name in names[start : start + 10]}
        write_part(lake, "pixiv", f"unit{unit}", part, "v")
        if start == 20:
            write_present(lake, dict.fromkeys(names[:30], "v"))
            assert searched(lake)[1] == 3 * 4 // 2
    write_present(lake, dict.fromkeys(names, "v"))
    assert searched(lake) == (expected(images), 4)


def test_the_job_runner_finds_the_same_and_goes_on_where_it_ended(tmp_path: Path):
    images = {f"pixiv/{n}": vector for n, vector in enumerate(planted(30, WIDTH, 1))}
    for folder, limit in (("here", 10**9), ("job", 0)):
        lake = small_lake(tmp_path / folder, job_pairs=limit)
        for unit, start in enumerate(range(0, 30, 10)):
            part = {key: images[key] for key in list(images)[start : start + 10]}
            write_part(lake, "pixiv", f"unit{unit}", part, "v")
        write_present(lake, dict.fromkeys(images, "v"))
        assert searched(lake) == (expected(images), 6)
    here, job = (tmp_path / folder / "store" / pairs_folder(lake) for folder in ("here", "job"))
    kinds = ("*.parquet", "*.json")
    assert sorted(len(list(here.glob(kind))) for kind in kinds) == [6, 6]
    figures = [
        sorted((mark["compared"], mark["found"]) for mark in marks)
        for marks in ([json.loads(p.read_text()) for p in f.glob("*.json")] for f in (here, job))
    ]
    assert figures[0] == figures[1]
    lost = sorted(job.glob("*.json"))[0]
    lost.unlink()
    assert searched(lake) == (expected(images), 1)
    assert lost.exists()


def test_a_vector_that_cannot_be_compared_is_named(tmp_path: Path):
    lake = small_lake(tmp_path)
    write_part(lake, "pixiv", "unit", {"pixiv/7": np.zeros(WIDTH)}, "v")
    write_present(lake, {"pixiv/7": "v"})
    with pytest.raises(ValueError, match="'pixiv/7' is zero or not finite"):
        searched(lake)


def test_too_many_pairs_name_the_image_and_what_to_do(tmp_path: Path):
    lake = small_lake(tmp_path, max_pairs=3, job_pairs=10**9)
    vector = planted(1, WIDTH, 1)[0]
    write_part(lake, "pixiv", "unit", {f"pixiv/{n}": vector for n in range(9)}, "v")
    write_present(lake, {f"pixiv/{n}": "v" for n in range(9)})
    with pytest.raises(ValueError, match=r"pixiv/0.*search.max_pairs in conf/dedup.yaml"):
        searched(lake)


def test_a_segment_whose_part_changed_is_made_again(tmp_path: Path):
    lake = small_lake(tmp_path, job_pairs=10**9)
    first, second = ({f"pixiv/{n}": v} for n, v in enumerate(planted(2, WIDTH, 3)))
    write_part(lake, "pixiv", "unit1", first, "v")
    write_part(lake, "pixiv", "unit2", second, "v")
    write_present(lake, {"pixiv/0": "v", "pixiv/1": "v"})
    searched(lake)
    (old,) = segments.make_segments(lake, "pixiv")
    assert list(segments.make_segments(lake, "pixiv")) == [old]
    write_part(lake, "pixiv", "unit2", {"pixiv/1": planted(1, WIDTH, 4)[0]}, "longer")
    write_present(lake, {"pixiv/0": "v", "pixiv/1": "longer"})
    searched(lake)
    made = segments.make_segments(lake, "pixiv")
    assert old not in made
    paths = "".join(lake.store.list("units/pairs")["path"])
    assert old.split("/")[1] not in paths and next(iter(made)).split("/")[1] in paths
    assert sorted(key for keys in made.values() for key in keys["image_key"]) == [
        "pixiv/0",
        "pixiv/1",
    ]


def test_an_empty_crawl_has_no_pairs(tmp_path: Path):
    lake = small_lake(tmp_path)
    write_present(lake, {})
    assert searched(lake) == (set(), 0)


def test_a_growing_lake_has_the_edges_of_one_that_was_filled_at_once(tmp_path: Path):
    images = {f"pixiv/{n}": vector for n, vector in enumerate(planted(40, WIDTH, 5))}
    rows = [{"image_key": key, "phash": n // 2} for n, key in enumerate(images)]
    items = make_items(*rows)
    digests = []
    for folder, cuts in (("once", [40]), ("growing", [10, 25, 40])):
        lake = small_lake(tmp_path / folder, job_pairs=10**9)
        start = 0
        for cut in cuts:
            part = {key: images[key] for key in list(images)[start:cut]}
            write_part(lake, "pixiv", f"unit{cut}", part, "v")
            write_present(lake, dict.fromkeys(list(images)[:cut], "v"))
            found, _ = within(dg.build_asset_context(), lake, "pixiv")
            start = cut
        edges = find_edges(items, lake.project.dedup, found._replace(details=None))
        assert edges.height > 5
        info = lake.write("dedup_intra", "pixiv", edges, key=["a", "b"], inputs={})
        digests.append((info.digest, [bucket.sha256 for bucket in info.buckets]))
    assert digests[0] == digests[1]


def test_a_killed_worker_leaves_its_finished_parts(tmp_path: Path):
    lake = small_lake(tmp_path, job_pairs=0)
    images = {f"pixiv/{n}": vector for n, vector in enumerate(planted(400, WIDTH, 1))}
    for start in range(0, 400, 10):
        part = {key: images[key] for key in list(images)[start : start + 10]}
        write_part(lake, "pixiv", f"unit{start}", part, "v")
    write_present(lake, dict.fromkeys(images, "v"))
    folder = tmp_path / "store" / pairs_folder(lake)

    def kill_when_some_are_done() -> None:
        while len(list(folder.glob("*.json"))) < 20:
            time.sleep(0.01)
        for pid in children():
            if b"dataproc_assets.jobs.search_pairs" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_when_some_are_done, daemon=True)
    killer.start()
    with pytest.raises(JobFailed, match="SIGKILL"):
        within(dg.build_asset_context(), lake, "pixiv")
    killer.join()
    done = len(list(folder.glob("*.json")))
    assert 20 <= done < 40 * 41 // 2
    pairs, now = searched(lake)
    assert (pairs, now) == (expected(images), 40 * 41 // 2 - done)
    assert not list(folder.glob("*.tmp*"))
