from dataclasses import replace

import polars as pl
import pytest

from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import COMPANIONS, Lake, resolve
from dataproc_assets.storage.ledger import append_ledger
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets_tests.storage.lakes import (
    make,
    part_rows,
    project_in,
    put_part,
    remake,
    stale,
)

ROWS = pl.DataFrame({"image_key": ["pixiv/1_p0"], "n": [1]})
AFTER_PREFILTERED = {
    *("prefiltered", "augmented", "dedup_intra", "dedup_cross", "caption", "images"),
    *("prompts", "sanitized", "denoiser", "gallery"),
}


@pytest.fixture
def lake(url, tmp_path):
    (tmp_path / "crawl").mkdir()
    return Lake(project_in(url, tmp_path / "crawl"))


@pytest.fixture
def full(tmp_path):
    """A lake on a folder in which everything is made."""
    (tmp_path / "crawl").mkdir()
    lake = Lake(project_in(str(tmp_path / "store"), tmp_path / "crawl"))
    remake(lake, 0)
    return lake


def with_curation(lake: Lake, **values) -> Lake:
    curation = lake.project.curation.model_copy(update=values)
    return Lake(replace(lake.project, curation=curation))


def test_a_table_comes_back_by_stage_and_partition(lake):
    lake.write("merged", "pixiv", ROWS, inputs={})
    assert lake.read("merged", "pixiv").collect().equals(ROWS)
    info = lake.info("merged", "pixiv")
    assert info is not None
    assert info.code_version == lake.code_version("merged", "pixiv")
    assert lake.info("merged", "twitter") is None
    with pytest.raises(FileNotFoundError, match=r"twitter_merged\.parquet: there is no such table"):
        lake.read("merged", "twitter")


def test_all_sources_are_read_in_their_order(full):
    keys = full.read_all("merged").collect()["image_key"].to_list()
    assert keys == [f"merged/{source}" for source in sorted(full.project.sources)]


def test_what_is_made_is_fresh_and_nothing_is_made_twice(full):
    assert stale(full) == set()
    assert remake(full, 1) == []


def test_a_changed_threshold_remakes_what_follows_it_and_scores_nothing(full):
    other = with_curation(full, prefilter=full.project.curation.prefilter[:-1])
    assert {name for name, _ in stale(other)} == {"prefiltered"}
    made = remake(other, 1)
    assert {name for name, _ in made} == AFTER_PREFILTERED
    assert {key for name, key in made if name == "augmented"} == set(full.project.sources)
    assert stale(other) == set()


def test_equal_rows_end_the_making(full):
    other = with_curation(full, prefilter=full.project.curation.prefilter[:-1])
    assert {name for name, _ in remake(other, 0)} == {"prefiltered"}


def test_a_changed_source_makes_no_other_source_stale(full):
    pixiv = full.project.sources["pixiv"].model_copy(update={"prefilter": [], "ai_tags": []})
    sources = {**full.project.sources, "pixiv": pixiv}
    other = Lake(replace(full.project, sources=sources))
    made = remake(other, 1)
    assert {key for name, key in made if other.stages[name].by == "source"} == {"pixiv"}
    assert {name for name, key in made if key == "pixiv"} == {
        *("todo", "metrics_merged", "merged", "prefiltered", "augmented", "dedup_intra")
    }


def test_a_new_object_makes_its_source_stale_until_it_is_listed(full, tmp_path):
    crawl = full.project.sources["pixiv"].crawl
    file = tmp_path / "crawl" / crawl.prefix / "resized_1/1_p0.webp"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"image")
    assert stale(full) == {("inventory", "pixiv"), ("records", "pixiv")}
    remake(full, 1)
    assert stale(full) == set()
    file.unlink()
    assert stale(full) == {("inventory", "pixiv"), ("records", "pixiv")}


def test_a_finished_part_makes_intake_and_the_join_stale(full):
    put_part(full, "clip", "pixiv", "u", part_rows(("pixiv/1_p0", "v", "ok")))
    assert stale(full) == {
        ("todo", "pixiv"),
        ("metrics_merged", "pixiv"),
        ("dedup_intra", "pixiv"),
        ("dedup_cross", None),
    }


def test_a_companion_counts_for_its_stage(full):
    assert set(COMPANIONS) <= set(full.stages)
    other = ROWS.with_columns(n=2)
    full.write("dedup_cross", None, other, table="members", inputs=full.inputs("dedup_cross", None))
    assert {name for name, _ in stale(full)} == {
        *("caption", "images", "sanitized", "denoiser", "gallery"),
    }


def test_a_takedown_starts_at_intake(full):
    entry = {"kind": "key", "value": "pixiv/1_p0", "date": "2024-01-01", "reason": "asked"}
    append_ledger(full.store, "takedown", pl.DataFrame([entry]))
    assert stale(full) == {
        (stage, source)
        for stage in ("inventory", "records", "metrics_merged")
        for source in full.project.sources
    }


def test_a_print_is_looked_for_among_what_is_scored(full):
    entry = {"of": "1", "sha256": "a", "md5": "b", "phash": 1, "model": "m"}
    bare = pl.DataFrame([entry], schema_overrides={"phash": pl.UInt64})
    nothing = pl.lit(None, pl.Binary)
    append_ledger(full.store, "print", bare.with_columns(detail=nothing, vector=nothing))
    assert ("metrics_merged", "pixiv") in stale(full)


def test_what_the_stages_add_to_ledgers_makes_nothing_stale(full):
    entry = {"image_key": "pixiv/1_p0", "rule": "never"}
    append_ledger(full.store, "quarantine", pl.DataFrame([entry]))
    founder = {"founding_key": "pixiv/1_p0", "image_id": "f" * 32, "release": "demo"}
    append_ledger(full.store, "identity", pl.DataFrame([founder]))
    assert stale(full) == set()


def test_a_release_stays_fresh_whatever_changes(full):
    for source in full.project.sources:
        make(full, "inventory", source, 9)
    made = {name for name, _ in remake(full, 9)}
    assert "images" in made
    assert not made & {"release", "latents"}
    full.store.delete(f"{layout.release_path('demo')}/manifest.json")
    assert ("release", "demo") in stale(full)


def test_a_release_without_latents_has_nothing_to_encode(full):
    full.store.delete(f"{layout.latents_path('demo')}/manifest.json")
    assert stale(full) >= {("latents", "demo")}
    demo = full.project.releases["demo"].model_copy(update={"latents": None})
    assert Lake(replace(full.project, releases={"demo": demo})).fresh("latents", "demo")


def test_a_deleted_table_is_stale_and_a_changed_file_is_refused(full):
    folder = full.path("merged", "pixiv")
    for path in full.store.list(folder)["path"]:
        full.store.delete(path)
    assert ("merged", "pixiv") in stale(full)
    path = next(p for p in full.store.list(full.path("images"))["path"] if p.endswith(".parquet"))
    full.store.put(path, full.store.get(path) + b"edited")
    with pytest.raises(ChangedFileError, match=path.rpartition("/")[2]):
        full.read("images")


def test_buckets_of_the_profile_are_those_of_the_tables(tmp_path):
    project = project_in(str(tmp_path), tmp_path)
    storage = project.profile.storage.model_copy(update={"table_buckets": 5})
    lake = Lake(replace(project, profile=project.profile.model_copy(update={"storage": storage})))
    assert len(lake.write("merged", "pixiv", ROWS, inputs={}).buckets) == 5
    buckets = list(lake.read_buckets("merged", "pixiv"))
    assert len(buckets) == 5
    assert pl.concat(buckets).collect().equals(ROWS)


def test_a_relative_root_counts_from_dagster_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert resolve("data/store") == str(tmp_path / "data/store")
    assert resolve("/data") == "/data"
    assert resolve("s3://bucket/prefix") == "s3://bucket/prefix"
    monkeypatch.delenv("DAGSTER_HOME")
    monkeypatch.chdir(tmp_path)
    assert resolve("data") == str(tmp_path / "data")
