import json
from hashlib import sha256

import numpy as np
import polars as pl
import pytest

from dataproc_assets.storage.layout import (
    distances_path,
    done_path,
    part_path,
    scrubbed_path,
    segments_path,
)
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.scrub import scrub_scores
from dataproc_assets.storage.segments import segment_names, write_segment

PART = part_path("clip", "f" * 16, "pixiv", "u1")


def scrub(store, *gone: str, read: list[str] | None = None) -> list[str]:
    """Scrub pixiv; `read` gets the keys that were looked at."""

    def taken(known: pl.Series) -> pl.Series:
        if read is not None:
            read.extend(known)
        return known.filter(known.is_in(gone))

    return scrub_scores(store, "pixiv", taken, " ".join(gone))


def put_part(store, path: str, *rows: tuple[str, str, str | None]) -> None:
    schema = {"image_key": pl.String, "status": pl.String, "error": pl.String}
    store.put(path, to_parquet(pl.DataFrame(rows, schema=schema, orient="row")))
    store.put(done_path(path), json.dumps({"seconds": {"read": 1.5}, "retry": 1}).encode())


def keys(store, path: str) -> list[str]:
    return from_parquet(store.get(path))["image_key"].to_list()


def test_a_part_loses_the_rows_and_stays_done(store):
    put_part(store, PART, ("pixiv/1_p0", "ok", None), ("pixiv/2_p0", "failed", "read: x"))
    assert scrub(store, "pixiv/1_p0") == [PART]
    assert keys(store, PART) == ["pixiv/2_p0"]
    about = json.loads(store.get(done_path(PART)))
    assert about.pop("digest") and about.pop("bytes") == len(store.get(PART))
    assert about.pop("sha256") == sha256(store.get(PART)).hexdigest()
    assert about == {
        "seconds": {"read": 1.5},
        "rows": 1,
        "ok": 0,
        "retry": 0,
        "failed": {"read": 1},
    }
    assert scrub(store, "pixiv/1_p0") == []


def test_all_models_are_scrubbed_and_no_other_source_is_read(store):
    other = part_path("clip", "e" * 16, "pixiv", "u1")
    captions = part_path("caption", "c" * 16, "representatives", "u2")
    for path in (PART, other, captions):
        put_part(store, path, ("pixiv/1_p0", "ok", None), ("pixiv/2_p0", "ok", None))
    elsewhere = part_path("clip", "f" * 16, "danbooru", "u1")
    store.put(elsewhere, b"not even a table")
    assert scrub(store, "pixiv/1_p0") == sorted([PART, other, captions])
    assert {tuple(keys(store, path)) for path in (PART, other, captions)} == {("pixiv/2_p0",)}


def test_a_part_without_its_mark_goes_whole(store):
    put_part(store, PART, ("pixiv/1_p0", "ok", None))
    store.delete(done_path(PART))
    assert scrub(store, "pixiv/1_p0") == [PART]
    assert not store.exists(PART)


@pytest.mark.parametrize("both", [True, False])
def test_segments_go_with_their_pairs_where_they_hold_a_key(store, both):
    folder = segments_path("clip", "f" * 16, "pixiv")
    names = []
    for number in (1, 2):
        row = {"image_key": f"pixiv/{number}_p0", "version": "1", "part": "p", "part_version": "1"}
        vectors = np.full((1, 4), number, np.int16)
        names.append(write_segment(store, folder, pl.DataFrame([row]), vectors))
    pairs = f"units/pairs/clip/{'f' * 16}/s/{names[0]}-{names[1]}.pairs.parquet"
    kept = f"units/pairs/clip/{'f' * 16}/s/{names[1]}-{names[1]}.pairs.parquet"
    for path in (pairs, kept):
        store.put(path, b"pairs")
    hit = ["pixiv/1_p0", "pixiv/2_p0"] if both else ["pixiv/1_p0"]
    scrub(store, *hit)
    assert segment_names(store, folder) == ([] if both else [names[1]])
    assert (store.exists(pairs), store.exists(kept)) == (False, not both)


def test_distances_lose_the_pairs_of_a_key(store):
    path = distances_path("d" * 16, "sources")
    rows = {"a": ["danbooru/1", "danbooru/2"], "b": ["pixiv/1_p0", "pixiv/2_p0"]}
    store.put(path, to_parquet(pl.DataFrame(rows)))
    assert scrub(store, "pixiv/1_p0") == [path]
    assert from_parquet(store.get(path)).rows() == [("danbooru/2", "pixiv/2_p0")]


def test_what_was_searched_is_not_read_again_for_the_same_entries(store):
    put_part(store, PART, ("pixiv/1_p0", "ok", None), ("pixiv/2_p0", "ok", None))
    other = part_path("clip", "f" * 16, "pixiv", "u2")
    put_part(store, other, ("pixiv/3_p0", "ok", None))
    assert scrub(store, "pixiv/1_p0") == [PART]
    read: list[str] = []
    scrub(store, "pixiv/1_p0", read=read)
    assert read == ["pixiv/2_p0"]  # once more what was written meanwhile
    assert scrub(store, "pixiv/1_p0", read=read) == [] and read == ["pixiv/2_p0"]

    late = part_path("clip", "f" * 16, "pixiv", "u3")  # of a pass that had begun before
    put_part(store, late, ("pixiv/1_p0", "ok", None))
    put_part(store, PART, ("pixiv/1_p0", "ok", None), ("pixiv/2_p0", "ok", None))
    assert scrub(store, "pixiv/1_p0") == [PART, late]
    assert scrub(store, "pixiv/1_p0", "pixiv/3_p0") == [other]


def test_a_segment_that_is_written_again_as_it_was_goes_again(store):
    folder = segments_path("clip", "f" * 16, "pixiv")
    row = {"image_key": "pixiv/1_p0", "version": "1", "part": "p", "part_version": "1"}
    for _ in range(2):  # the second time by a search that had begun before
        write_segment(store, folder, pl.DataFrame([row]), np.ones((1, 4), np.int16))
        assert len(scrub(store, "pixiv/1_p0")) == 1
        assert segment_names(store, folder) == []


def test_what_is_no_list_of_what_was_searched_is_none(store):
    put_part(store, PART, ("pixiv/1_p0", "ok", None))
    store.put(scrubbed_path("pixiv"), b"no table")
    assert scrub(store, "pixiv/1_p0") == [PART]
