import pytest

from dataproc_assets.storage import spill
from dataproc_assets_tests.defs.results import checks, metadata
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"


def test_prompts_are_written_by_the_recipe(world: World):
    result = world.make("prompts", partition=RECIPE)
    told = metadata(result, "prompts")
    assert told["dagster/row_count"] == 7 and told["prompts_over_budget"] == 0
    examples = [row.data["prompt"] for row in told["examples"].records]
    assert len(examples) == 5 and all(prompt.startswith("1girl, ") for prompt in examples)
    assert sum(row.data["prompts"] for row in told["tokens_from"].records) == 7
    assert all(row.data["tokens"] % 10 == 0 for row in told["tokens_from"].records)
    assert "animagine4: 7 prompts, 0 of them cut by the budget" in "\n".join(world.said)


def test_a_small_budget_cuts_and_says_so(world: World):
    world.change(f"recipes/{RECIPE}.yaml", lambda conf: conf.update(token_budget=5))
    result = world.make("prompts", partition=RECIPE)
    told = metadata(result, "prompts")
    assert told["prompts_over_budget"] == 6  # the quarantined has no words
    assert checks(result) == {"prompts:prompts_fit": True}
    rows = world.lake.read("prompts", RECIPE).collect()
    assert rows["tokens"].max() <= 5 and (rows["cut"].list.len() > 0).sum() == 6
    groups = {row.data["group"]: row.data["units"] for row in told["cut_by_group"].records}
    assert sum(groups.values()) == rows["cut"].list.len().sum()
    assert told["cut_most"].records[0].data["prompts"] == 6  # the year, of all that have one


@pytest.mark.parametrize(("written", "made"), [(4, 4), (3, 2)])
def test_any_number_of_parts_writes_the_same_rows(
    world: World, monkeypatch: pytest.MonkeyPatch, written: int, made: int
):
    before = world.lake.read("prompts", RECIPE).collect()
    images = world.lake.read("images").collect()
    monkeypatch.setattr(spill, "PART_ROWS", 1)
    for buckets in (written, made):
        world.change("profiles/local.yaml", lambda conf, n=buckets: _buckets(conf, n))
        if buckets == written:
            world.lake.write("images", None, images, key="image_id", inputs={})
    told = metadata(world.make("prompts", partition=RECIPE), "prompts")
    after = world.lake.read("prompts", RECIPE).collect()
    assert after.sort("image_id", "variant").equals(before)
    assert len(world.lake.info("prompts", RECIPE).buckets) == made
    assert sum(row.data["prompts"] for row in told["tokens_from"].records) == 7


def _buckets(conf: dict, count: int) -> None:
    conf["storage"]["table_buckets"] = count
