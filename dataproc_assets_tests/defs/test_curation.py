import polars as pl

from dataproc_assets_tests.defs.posts import FEW_BOOKMARKS, LOW_SCORE, NO_IMAGE
from dataproc_assets_tests.defs.results import checks, data_version, metadata, reasons
from dataproc_assets_tests.defs.world import World


def test_every_row_is_judged_and_says_why(world: World):
    result = world.make("prefiltered", partition="pixiv")
    told = metadata(result, "prefiltered")
    assert (told["kept"], told["dropped"]) == (2, 3)
    assert reasons(told["drops"]) == {"few_bookmarks_old": 1, "low_clip_score": 1, "no_image": 1}
    funnel = [tuple(record.data.values()) for record in told["funnel"].records]
    assert [line for line in funnel if line[3]] == [
        ("intake", "no_image", 5, 1, 1, 4),
        ("intake", "few_bookmarks_old", 4, 1, 1, 3),
        ("prefilter", "low_clip_score", 3, 1, 1, 2),
    ]
    assert ("prefilter", "too_wide", 2, 0, 0, 2) in funnel
    rows = world.lake.read("prefiltered", "pixiv").select("image_key", "keep", "drop_reason")
    dropped = dict(rows.filter(~pl.col("keep")).drop("keep").collect().iter_rows())
    assert dropped == {
        FEW_BOOKMARKS: "few_bookmarks_old",
        LOW_SCORE: "low_clip_score",
        NO_IMAGE: "no_image",
    }
    assert all(checks(result).values())


def test_a_changed_threshold_changes_the_data_version_and_an_equal_remake_does_not(world: World):
    before = world.lake.state("prefiltered", "pixiv")
    assert data_version(world.make("prefiltered", partition="pixiv"), "prefiltered") == before
    world.change("curation.yaml", _clip_score(1.6))
    assert not world.lake.fresh("prefiltered", "pixiv")
    result = world.make("prefiltered", partition="pixiv")
    assert data_version(result, "prefiltered") != before
    assert metadata(result, "prefiltered")["kept"] == 0
    assert checks(result)["prefiltered:something_kept"] is False


def test_a_threshold_that_changes_no_row_keeps_the_data_version(world: World):
    before = world.lake.state("prefiltered", "pixiv")
    world.change("curation.yaml", _clip_score(1.3))
    assert not world.lake.fresh("prefiltered", "pixiv")
    assert data_version(world.make("prefiltered", partition="pixiv"), "prefiltered") == before
    assert world.lake.fresh("prefiltered", "pixiv") and world.lake.fresh("augmented", "pixiv")


def test_augmented_adds_size_bucket_period_and_tier(world: World):
    result = world.make("augmented", partition="pixiv")
    assert reasons(metadata(result, "augmented")["tiers"]) == {"normal": 2}
    row = world.lake.read("augmented", "pixiv").filter(pl.col("image_key") == "pixiv/100_p0")
    names = ("pixels", "aspect", "bucket_width", "bucket_height", "year", "period")
    assert row.select(names).collect().row(0) == (65536, 1.0, 256, 256, 2019, "recent")


def test_edges_within_a_source_carry_their_evidence(crawled: World):
    same = (crawled.bucket / "dataset-pixiv/resized_1/100_p0.png").read_bytes()
    crawled.put("dataset-pixiv/resized_1/100_p1.png", same)
    crawled.run(until="dedup_intra")
    result = crawled.make("dedup_intra", partition="pixiv")
    assert reasons(metadata(result, "dedup_intra")["edges"]) == {"duplicate": 1}
    (edge,) = crawled.lake.read("dedup_intra", "pixiv").collect().to_dicts()
    assert (edge["a"], edge["b"]) == ("pixiv/100_p0", "pixiv/100_p1")
    assert {"cosine_phash", "sha256"} <= set(edge["evidence"])


def test_no_likeness_is_no_edge(finished: World):
    assert finished.lake.info("dedup_intra", "pixiv").rows == 0
    assert finished.lake.info("dedup_intra", "danbooru").rows == 0


def _clip_score(value: float):
    def edit(conf):
        (rule,) = [rule for rule in conf["prefilter"] if rule["name"] == "low_clip_score"]
        rule["value"] = value

    return edit
