import polars as pl
import pytest

from dataproc_assets.defs.checks.images import DEDUP_CROSS, IMAGES
from dataproc_assets_tests.defs.asking import ask, failed, figures, tamper
from dataproc_assets_tests.defs.posts import TWIN
from dataproc_assets_tests.defs.world import World


def test_all_pass_on_what_was_made(finished: World):
    assert failed(ask(DEDUP_CROSS, finished.lake, "dedup_cross")) == []
    assert failed(ask(IMAGES, finished.lake, "images")) == []


def test_a_missed_edge_blocks(world: World):
    tamper(world.lake, "dedup_cross", None, lambda edges: edges.clear())
    results = ask(DEDUP_CROSS, world.lake, "dedup_cross")
    assert failed(results) == ["exact", "drops_have_an_edge"]
    assert results["exact"].severity.value == "ERROR"
    told = figures(results["exact"])
    assert (told["missed"], told["unfounded"], told["recall"]) == (1, 0, 0.0)
    told = figures(results["drops_have_an_edge"])
    assert told == {"without_edge": 1, "examples": [TWIN[1]]}


def test_an_edge_between_unlike_pictures_blocks(world: World):
    other = {"a": pl.lit("danbooru/2"), "b": pl.lit("pixiv/101_p0")}
    tamper(
        world.lake,
        "dedup_cross",
        None,
        lambda edges: pl.concat([edges, edges.head(1).with_columns(**other)]),
    )
    results = ask(DEDUP_CROSS, world.lake, "dedup_cross")
    assert failed(results) == ["exact"]
    assert figures(results["exact"])["unfounded"] == 1


def test_a_drop_for_an_image_it_has_no_edge_to_is_told(world: World):
    chain = pl.when(pl.col("role") == "duplicate").then(pl.lit("danbooru/2"))
    instead = chain.otherwise("representative").alias("representative")
    tamper(world.lake, "members", None, lambda rows: rows.with_columns(instead), "dedup_cross")
    assert failed(ask(DEDUP_CROSS, world.lake, "dedup_cross")) == ["drops_have_an_edge"]


@pytest.mark.parametrize(
    "edit",
    [lambda rows: rows.head(-1), lambda rows: pl.concat([rows, rows.head(1)])],
    ids=["lost", "doubled"],
)
def test_images_that_are_not_the_representatives_block(world: World, edit):
    tamper(world.lake, "images", None, edit)
    results = ask(IMAGES, world.lake, "images")
    assert failed(results) == ["one_row_an_image"]
    assert results["one_row_an_image"].severity.value == "ERROR"
    assert figures(results["one_row_an_image"])["representatives"] == 7
