from dataclasses import replace

import pytest

from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets_tests.storage.lakes import part_rows, project_in, put_part


@pytest.fixture
def lake(url, tmp_path):
    (tmp_path / "crawl").mkdir()
    return Lake(project_in(url, tmp_path / "crawl"))


def test_only_parts_with_their_done_mark_count(lake):
    put_part(lake, "clip", "pixiv", "b", part_rows(("pixiv/2_p0", "v", "failed")))
    put_part(
        lake,
        "clip",
        "pixiv",
        "a",
        part_rows(("pixiv/1_p0", "v", "ok"), ("pixiv/3_p0", "v", "retry")),
    )
    put_part(lake, "clip", "twitter", "t", part_rows(("twitter/1_1", "v", "ok")))
    half = layout.part_path("clip", lake.parts.fingerprint("clip"), "pixiv", "half")
    lake.store.put(half, b"cut")
    assert [path.rpartition("/")[2] for path in lake.parts.paths("clip", "pixiv")] == [
        "a.clip.parquet",
        "b.clip.parquet",
    ]
    rows = lake.parts.read("clip", "pixiv").collect()
    assert rows["image_key"].to_list() == ["pixiv/1_p0", "pixiv/3_p0", "pixiv/2_p0"]
    assert rows["part"].n_unique() == 2
    done = lake.parts.done("clip", "pixiv").collect()
    assert sorted(done["image_key"]) == ["pixiv/1_p0", "pixiv/2_p0"]


def test_a_metric_without_parts_has_rows_of_no_one(lake):
    assert lake.parts.paths("clip", "pixiv") == []
    assert lake.parts.done("clip", "pixiv").collect().is_empty()


def test_parts_of_another_fingerprint_do_not_count(lake):
    put_part(lake, "clip", "pixiv", "u", part_rows(("pixiv/1_p0", "v", "ok")))
    clip = lake.project.metrics["clip"].model_copy(update={"version": 2})
    newer = Lake(replace(lake.project, metrics={**lake.project.metrics, "clip": clip}))
    assert newer.parts.paths("clip", "pixiv") == []
    assert len(lake.parts.paths("clip", "pixiv")) == 1


def test_a_part_that_is_written_again_under_its_name_is_seen(lake):
    put_part(lake, "clip", "pixiv", "u", part_rows(("pixiv/1_p0", "v", "retry")))
    before = lake.parts.state("clip", "pixiv")
    assert lake.parts.state("clip", "pixiv") == before
    put_part(lake, "clip", "pixiv", "u", part_rows(("pixiv/1_p0", "v", "ok")))
    assert lake.parts.state("clip", "pixiv") != before
