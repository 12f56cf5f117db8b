from datetime import date
from typing import Any

import dagster as dg
import pytest

from dataproc_assets.defs.result import table_result
from dataproc_assets.defs.stage import Check, partitions_def, stage_asset
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.stages import partitions
from dataproc_assets_tests.defs.results import cause, checks
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"


def images(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
    """Writes the images that are there again."""
    rows = lake.read("images").collect()
    info = lake.write("images", None, rows, key="image_id", inputs=lake.inputs("images", None))
    return table_result(lake, "images", None, info)


def prompts(context: dg.AssetExecutionContext, lake: Lake, recipe: str) -> dg.MaterializeResult:
    """Stands after `images`; it must not be reached where that is blocked."""
    info = lake.info("prompts", recipe)
    assert info is not None
    return table_result(lake, "prompts", recipe, info)


def _never(lake: Lake, partition: str | None) -> tuple[bool, dict[str, Any]]:
    return False, {"why": "it never passes"}


@pytest.mark.parametrize("blocking", [False, True])
def test_a_failed_check_that_blocks_ends_the_run_and_leaves_the_table_stale(
    world: World, blocking: bool
):
    check = Check("never", "It never passes.", _never, blocking)
    result = dg.materialize(
        [stage_asset(world.lake, images, checks=(check,))],
        instance=world.instance,
        raise_on_error=False,
    )
    assert checks(result) == {"images:never": False}
    assert result.success is not blocking
    assert world.lake.fresh("images", None) is not blocking
    assert world.lake.read("images").collect().height == 7  # there to be looked at
    if blocking:
        assert "never" in cause(result)[1]


def test_what_stands_after_a_blocked_asset_is_not_made(world: World):
    check = Check("never", "It never passes.", _never, blocking=True)
    assets = [stage_asset(world.lake, images, checks=(check,)), stage_asset(world.lake, prompts)]
    job = dg.Definitions(assets, executor=dg.in_process_executor)
    result = job.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=world.instance, partition_key=RECIPE, raise_on_error=False
    )
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert not result.success and made == {"images"}


def test_the_partitions_are_the_files_of_conf(finished: World):
    project = finished.lake.project
    keys = {
        by: partitions_def(project, by).get_partition_keys()
        for by in ("source", "recipe", "release")
    }
    assert keys == {"source": ["danbooru", "pixiv"], "recipe": [RECIPE], "release": ["demo"]}
    assert partitions_def(project, None) is None


# What an edit of a file makes stale: stage -> the partitions whose code version changes.
BOTH = ["danbooru", "pixiv"]
EDITS: dict[str, tuple[str, dict[str, Any], dict[str, list[str | None]]]] = {
    "when the sensor looks": ("sources/pixiv.yaml", {"settle_seconds": 1}, {}),
    "the limit of failures": ("sources/pixiv.yaml", {"failed_share_max": 0.2}, {}),
    "the limit of removals": (
        "sources/pixiv.yaml",
        {"removed_share_max": 0.2},
        {"inventory": ["pixiv"]},
    ),
    "a source's rules": ("sources/pixiv.yaml", {"prefilter": []}, {"todo": ["pixiv"]}),
    "a source's trust": (
        "sources/pixiv.yaml",
        {"trust.image": 0.5},
        {"dedup_intra": ["pixiv"], "dedup_cross": [None], "images": [None]},
    ),
    "a source's tags for AI": (
        "sources/pixiv.yaml",
        {"ai_tags": []},
        {"todo": ["pixiv"], "merged": ["pixiv"]},
    ),
    "the rules after scoring": ("curation.yaml", {"prefilter": []}, {"prefiltered": BOTH}),
    "the seed": ("curation.yaml", {"seed": 1}, {"images": [None]}),
    "the day": ("curation.yaml", {"as_of": date(2026, 12, 1)}, {"todo": BOTH, "augmented": BOTH}),
    "the tiers": ("curation.yaml", {"augment.tiers.min_group": 9}, {"augmented": BOTH}),
    "the threshold of likeness": (
        "dedup.yaml",
        {"cosine": 0.96},
        {"dedup_intra": BOTH, "dedup_cross": [None], "gallery": [None]},
    ),
    "a recipe": (f"recipes/{RECIPE}.yaml", {"token_budget": 60}, {"prompts": [RECIPE]}),
    "a banned word": (
        "safety.yaml",
        {"banned_words": ["another"]},
        {"images": [None], "sanitized": [RECIPE], "release": ["demo"], "gallery": [None]},
    ),
    "who opted out": (
        "safety.yaml",
        {"opt_out.artists": []},
        {"images": [None], "sanitized": [RECIPE], "release": ["demo"], "gallery": [None]},
    ),
    "a release": ("releases/demo.yaml", {"seed": 1}, {"release": ["demo"]}),
    "the gallery": ("gallery.yaml", {"samples": 3}, {"gallery": [None]}),
    "a metric's code": (
        "metrics/clip.yaml",
        {"version": 2},
        {"todo": BOTH, "metrics_merged": BOTH, "gallery": [None]},
    ),
    "a metric's batches": ("metrics/clip.yaml", {"batch_size": 1}, {}),
    "the late metric's code": ("metrics/caption.yaml", {"version": 2}, {"caption": [None]}),
    "how pictures are decoded": (
        "profiles/local.yaml",
        {"decode.jpeg_side": 256},
        {"todo": BOTH, "metrics_merged": BOTH, "caption": [None], "gallery": [None]},
    ),
    "where jobs run": ("profiles/local.yaml", {"runner.threads": 1, "budget.pass_seconds": 1}, {}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_the_code_version_of_what_reads_it_alone(world: World, edit: str):
    file, values, expected = EDITS[edit]
    before = _code_versions(world)
    world.change(file, lambda conf: [_set(conf, path, value) for path, value in values.items()])
    after = _code_versions(world)
    changed: dict[str, list[str | None]] = {}
    for (stage, partition), version in after.items():
        if before[stage, partition] != version:
            changed.setdefault(stage, []).append(partition)
    assert changed == expected


def _code_versions(world: World) -> dict[tuple[str, str | None], str]:
    lake = world.lake
    return {
        (name, key): lake.code_version(name, key)
        for name, stage in lake.stages.items()
        for key in partitions(lake.project, stage.by)
    }


def _set(conf: dict[str, Any], path: str, value: Any) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        conf = conf[folder]
    assert name in conf
    conf[name] = value
