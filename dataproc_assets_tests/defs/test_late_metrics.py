"""A metric that runs on what the prefilter kept, on real workers; and rows to try again."""

import polars as pl
import pytest
import yaml

from dataproc_assets.defs.flags import flags
from dataproc_assets.defs.tables import captions
from dataproc_assets.plan import due_late, due_stages
from dataproc_assets.run import stale_steps
from dataproc_assets_tests.defs.posts import FEW_BOOKMARKS, LOW_SCORE, TWIN
from dataproc_assets_tests.defs.world import World


@pytest.fixture
def facts(world: World) -> World:
    """A world with a second metric of the kind `pixels`, on what was kept."""
    conf = yaml.safe_load((world.conf / "metrics/pixels.yaml").read_text("utf-8"))
    text = yaml.safe_dump({**conf, "name": "facts", "on": "prefiltered"})
    (world.conf / "metrics/facts.yaml").write_text(text, "utf-8")
    return world


def kept(world: World, source: str) -> list[str]:
    rows = world.lake.read("prefiltered", source).filter("keep").select("image_key").collect()
    return rows["image_key"].to_list()


def test_a_metric_runs_on_what_the_prefilter_kept(facts: World):
    assert due_late(facts.lake, "facts", "pixiv").metrics == {"facts": 2}
    made = facts.run()
    assert [step.assets[0] for step in made if step.partition == "pixiv"] == ["facts"]
    for source in ("pixiv", "danbooru"):
        table = facts.lake.read("facts", source).collect()
        assert table["image_key"].to_list() == kept(facts, source)
        assert table["metrics_status"].unique().to_list() == ["ok"]
        rows = facts.lake.read("augmented", source).collect()
        known = rows.filter(pl.col(f"{source}__facts_width").is_not_null())
        assert known["image_key"].to_list() == table["image_key"].to_list()
        same = known[f"{source}__facts_sha256"] == known[f"{source}__pixels_sha256"]
        assert same.all() and f"{source}__facts_detail" not in rows.columns
    assert facts.run() == [] and due_late(facts.lake, "facts", "pixiv").images == 0


def test_a_relaxed_rule_scores_the_newly_kept_alone(facts: World):
    facts.run()
    before = facts.lake.parts.paths("facts", "pixiv")
    facts.change("curation.yaml", lambda conf: conf["prefilter"][0].update(value=0.4))
    facts.run()
    (new,) = set(facts.lake.parts.paths("facts", "pixiv")) - set(before)
    assert pl.read_parquet(facts.lake.store.get(new))["image_key"].to_list() == [LOW_SCORE]
    assert LOW_SCORE in facts.lake.read("facts", "pixiv").collect()["image_key"]


def test_captions_may_be_of_all_that_was_kept(world: World):
    world.change("metrics/caption.yaml", lambda conf: conf.update(on="prefiltered"))
    world.run()
    keys = captions(world.lake).sort("image_key").collect()["image_key"].to_list()
    assert keys == sorted(kept(world, "pixiv") + kept(world, "danbooru")) and set(TWIN) <= {*keys}
    image = world.lake.read("images").filter(pl.col("representative").is_in(TWIN)).collect()
    assert image["caption"].to_list() == [f"a picture of {image['representative'].item()}"]
    assert FEW_BOOKMARKS in flags(world.lake).collect()["image_key"]


def test_rows_to_try_again_make_a_late_metric_due(world: World):
    assert list(stale_steps(world.lake)) == []
    rows = world.lake.read("caption").collect()
    first = pl.col("image_key") == rows["image_key"][0]
    status = pl.when(first).then(pl.lit("missing")).otherwise("metrics_status")
    world.lake.write("caption", None, rows.with_columns(metrics_status=status))
    assert world.lake.fresh("caption", None)
    due = {one.stage: one.why for one in due_stages(world.lake)}
    assert due["caption"] == "1 images are to be tried again"
    assert ("caption",) in {step.assets for step in stale_steps(world.lake)}
    world.run()
    assert world.lake.read("caption").collect().equals(rows)
    assert list(due_stages(world.lake)) == []
