import polars as pl

from dataproc_assets.defs.checks.metrics import METRICS_MERGED
from dataproc_assets_tests.defs.asking import ask, failed, figures, tamper
from dataproc_assets_tests.defs.world import World


def test_all_pass_on_what_was_made(finished: World):
    for source in finished.lake.project.sources:
        assert failed(ask(METRICS_MERGED, finished.lake, "metrics_merged", source)) == []


def test_an_image_that_a_metric_has_not_seen_is_told(crawled: World):
    crawled.make("inventory", "records", "todo", "metrics_merged", partition="pixiv")
    results = ask(METRICS_MERGED, crawled.lake, "metrics_merged", "pixiv")
    assert failed(results) == ["complete"]
    assert figures(results["complete"]) == {"images": 3, "missing": 3}


def test_failures_over_the_share_are_told(world: World):
    failed_one = pl.when(pl.col("image_key") == "pixiv/101_p0").then(pl.lit("failed"))
    status = failed_one.otherwise("metrics_status").alias("metrics_status")
    tamper(world.lake, "metrics_merged", "pixiv", lambda rows: rows.with_columns(status))
    results = ask(METRICS_MERGED, world.lake, "metrics_merged", "pixiv")
    assert failed(results) == ["few_failures"]
    told = figures(results["few_failures"])
    assert told == {"failed": 1, "share": 1 / 3, "failed_share_max": 0.1}
