import polars as pl

from dataproc_assets.defs.checks.metadata import MERGED
from dataproc_assets_tests.defs.asking import ask, failed, figures, tamper
from dataproc_assets_tests.defs.world import World


def test_passes_on_what_was_made(finished: World):
    for source in finished.lake.project.sources:
        assert failed(ask(MERGED, finished.lake, "merged", source)) == []


def test_a_lost_key_blocks(world: World):
    lost = pl.col("image_key") == "pixiv/101_p0"
    tamper(world.lake, "merged", "pixiv", lambda rows: rows.filter(~lost))
    (result,) = ask(MERGED, world.lake, "merged", "pixiv").values()
    assert not result.passed and result.severity.value == "ERROR"
    assert figures(result) == {"lost": 1, "examples": ["pixiv/101_p0"]}


def test_a_doubled_row_blocks(world: World):
    tamper(world.lake, "merged", "pixiv", lambda rows: pl.concat([rows, rows.head(1)]))
    assert failed(ask(MERGED, world.lake, "merged", "pixiv")) == ["nothing_vanished"]
