from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dataproc_assets.dedup.quantise import quantise
from dataproc_assets.jobs.search_pairs import main
from dataproc_assets.storage.layout import pairs_part_path, vectors_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.segments import KEYS_SCHEMA, write_segment
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets_tests.dedup.build import SEARCH, brute_force, planted

VECTORS = planted(24, 16, 1)


def job_config(store: ObjectStore, **search: int) -> dict[str, Any]:
    return {
        "storage": store.url,
        "segments": "segments",
        "pairs": "pairs",
        "cosine": 0.97,
        "search": SEARCH | search,
        "device": "cpu",
        "threads": 1,
        "readers": 1,
        "read": {"tries": 1, "backoff_seconds": 0.0, "stop_after": 5},
    }


def segments(store: ObjectStore) -> list[str]:
    """Two segments of a dozen vectors each, a near pair across them."""
    names = []
    for part in (VECTORS[:11], VECTORS[11:]):
        keys = pl.DataFrame(
            {"image_key": [f"pixiv/{len(names)}_{n}" for n in range(len(part))]}
        ).with_columns(version=pl.lit("v"), part=pl.lit("p"), part_version=pl.lit("w"))
        name = write_segment(store, "segments/pixiv", keys.select(*KEYS_SCHEMA), quantise(part))
        names.append(f"pixiv/{name}")
    return names


def write_todo(folder: Path, tasks: list[tuple[str, str]]) -> Path:
    (folder / "todo").mkdir()
    for number, task in enumerate(tasks):
        frame = pl.DataFrame([task], schema=["left", "right"], orient="row")
        frame.write_parquet(folder / "todo" / f"{number}.todo.parquet")
    return folder


def found(store: ObjectStore, left: str, right: str) -> list[tuple[int, int, int]]:
    path = Path(store.url) / pairs_part_path("pairs", left, right)
    return pl.read_parquet(path).rows()


def test_workers_share_the_tasks_and_find_all_pairs(tmp_path: Path):
    store = ObjectStore(str(tmp_path / "store"))
    a, b = segments(store)
    inputs = write_todo(tmp_path, [(a, a), (a, b), (b, b)])
    for rank in range(2):
        main(job_config(store), inputs, tmp_path, rank, world=2)
    expected = brute_force(VECTORS, 0.97)
    assert found(store, a, a) == [row for row in expected if row[1] < 11]
    across = [(i, j - 11, dot) for i, j, dot in expected if i < 11 <= j]
    assert found(store, a, b) == across != []
    assert found(store, b, b) == [(i - 11, j - 11, dot) for i, j, dot in expected if i >= 11]


def test_a_part_that_is_done_is_not_made_again(tmp_path: Path):
    store = ObjectStore(str(tmp_path / "store"))
    a, b = segments(store)
    inputs = write_todo(tmp_path, [(a, b)])
    main(job_config(store), inputs, tmp_path, 0, 1)
    path = tmp_path / "store" / pairs_part_path("pairs", a, b)
    path.write_bytes(b"kept")
    main(job_config(store), inputs, tmp_path, 0, 1)
    assert path.read_bytes() == b"kept"


def test_a_segment_that_changed_on_storage_is_refused(tmp_path: Path):
    store = ObjectStore(str(tmp_path / "store"))
    a, b = segments(store)
    path = tmp_path / "store" / vectors_path(f"segments/{b}")
    np.save(path, np.load(path)[::-1])
    with pytest.raises(ChangedFileError, match="delete the segment's files"):
        main(job_config(store), write_todo(tmp_path, [(a, b)]), tmp_path, 0, 1)
    assert store.list("pairs").is_empty()


def test_the_image_with_too_many_pairs_is_named(tmp_path: Path):
    store = ObjectStore(str(tmp_path / "store"))
    a, _ = segments(store)
    with pytest.raises(ValueError, match=r"it is 'pixiv/0_\d+'\. Raise search\.max_pairs"):
        inputs = write_todo(tmp_path, [(a, a)])
        main(job_config(store, max_pairs=1), inputs, tmp_path, 0, 1)
