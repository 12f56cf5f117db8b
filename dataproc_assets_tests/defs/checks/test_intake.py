import polars as pl

from dataproc_assets.defs.checks.intake import INVENTORY, RECORDS, TODO
from dataproc_assets_tests.defs.asking import ask, failed, figures, tamper
from dataproc_assets_tests.defs.world import World


def test_all_pass_on_what_was_made(finished: World):
    for source in finished.lake.project.sources:
        assert failed(ask(INVENTORY, finished.lake, "inventory", source)) == []
        assert failed(ask(RECORDS, finished.lake, "records", source)) == []
        assert failed(ask(TODO, finished.lake, "todo", source)) == []


def test_a_doubled_key_blocks(world: World):
    tamper(world.lake, "inventory", "pixiv", lambda rows: pl.concat([rows, rows.head(1)]))
    results = ask(INVENTORY, world.lake, "inventory", "pixiv")
    assert failed(results) == ["unique_key"]
    assert results["unique_key"].severity.value == "ERROR"
    assert figures(results["unique_key"]) == {"doubled": 1, "examples": ["pixiv/100_p0"]}


def test_rejects_over_the_share_are_told(world: World):
    rejected = {"source": "pixiv", "place": "somewhere", "reason": "not JSON"}
    tamper(world.lake, "rejects", "pixiv", lambda rows: _with(rows, rejected), stage="records")
    results = ask(RECORDS, world.lake, "records", "pixiv")
    assert failed(results) == ["few_rejects"]
    assert results["few_rejects"].severity.value == "WARN"
    assert figures(results["few_rejects"])["share"] == 1 / 6


def test_a_superseded_record_is_no_fault(world: World):
    older = {"source": "pixiv", "place": "somewhere", "reason": "superseded by elsewhere"}
    tamper(world.lake, "rejects", "pixiv", lambda rows: _with(rows, older), stage="records")
    assert failed(ask(RECORDS, world.lake, "records", "pixiv")) == []


def test_a_pass_over_the_budget_is_told(crawled: World):
    crawled.make("inventory", "records", "todo", partition="pixiv")
    assert failed(ask(TODO, crawled.lake, "todo", "pixiv")) == []
    crawled.change("profiles/local.yaml", lambda conf: conf["budget"].update(pass_seconds=0.5))
    results = ask(TODO, crawled.lake, "todo", "pixiv")
    assert failed(results) == ["within_budget"]
    seconds = sum(crawled.lake.parts.rate("pixiv").seconds.values())
    told = figures(results["within_budget"])
    assert abs(told["estimated_seconds"] - 3 * seconds) < 1e-9 and told["pass_seconds"] == 0.5


def _with(rows: pl.DataFrame, row: dict[str, str]) -> pl.DataFrame:
    return pl.concat([rows, pl.DataFrame([row], schema=rows.schema)])
