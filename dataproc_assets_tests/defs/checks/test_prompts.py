import polars as pl

from dataproc_assets.defs.checks.prompts import PROMPTS
from dataproc_assets_tests.defs.asking import ask, failed, figures, tamper
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"


def test_all_pass_on_what_was_made(finished: World):
    assert failed(ask(PROMPTS, finished.lake, "prompts", RECIPE)) == []


def test_a_prompt_over_the_budget_is_told(world: World):
    long = pl.when(pl.int_range(pl.len()) == 0).then(76).otherwise("tokens")
    tokens = long.cast(pl.Int32).alias("tokens")
    tamper(world.lake, "prompts", RECIPE, lambda rows: rows.with_columns(tokens))
    results = ask(PROMPTS, world.lake, "prompts", RECIPE)
    assert failed(results) == ["prompts_fit"]
    # the quarantined image has no words
    assert figures(results["prompts_fit"]) == {"token_budget": "75", "over": 1, "empty": 1}


def test_without_a_budget_no_prompt_is_over_it(world: World):
    long = pl.lit(10_000, pl.Int32).alias("tokens")
    tamper(world.lake, "prompts", RECIPE, lambda rows: rows.with_columns(long))
    world.change(f"recipes/{RECIPE}.yaml", lambda conf: conf.update(token_budget=None))
    assert failed(ask(PROMPTS, world.lake, "prompts", RECIPE)) == []
