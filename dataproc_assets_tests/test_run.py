import polars as pl
import pytest

from dataproc_assets.defs.checks import sanitized as checks
from dataproc_assets.defs.stage import Check
from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.run import RunFailed, Step, flow, run_stale, stale_steps
from dataproc_assets.storage import layout
from dataproc_assets_tests.defs.posts import pixiv_record
from dataproc_assets_tests.defs.results import metadata
from dataproc_assets_tests.defs.world import World

PASSES = ("clip", "drawing", "pixels", "softmax", "tagger")
INTAKE = ("inventory", "records", "todo")
MERGING = ("metrics_merged", "merged", "prefiltered", "augmented", "dedup_intra")
ACROSS = [("dedup_cross", None), ("caption", None), ("images", None), ("prompts", "animagine4"),
          ("sanitized", "animagine4"), ("release", "demo"), ("gallery", None)]  # fmt: skip


def run(world: World, **options) -> int:
    """`run_stale` as the command calls it."""
    return run_stale(
        world.definitions, world.lake, world.instance, say=world.said.append, **options
    )


def test_the_flow_has_the_metrics_of_the_pass_after_todo(finished: World):
    names = flow(finished.lake)
    assert names[: len(INTAKE) + len(PASSES)] == [*INTAKE, *PASSES]
    assert names[-4:] == ["release", "latents", "denoiser", "gallery"]
    assert len(names) == len(set(names))


def test_everything_is_made_in_flow_order_source_by_source(crawled: World):
    steps = crawled.run(until="dedup_intra")
    assert steps == [
        Step(INTAKE, "danbooru"),
        Step(PASSES, "danbooru"),
        Step(("todo", *MERGING), "danbooru"),
        Step(INTAKE, "pixiv"),
        Step(PASSES, "pixiv"),
        Step(("todo", *MERGING), "pixiv"),
    ]
    steps = crawled.run()
    assert [(*step.assets, step.partition) for step in steps] == ACROSS
    assert crawled.run() == []  # all is fresh


def test_what_is_fresh_is_not_made(finished: World):
    assert list(stale_steps(finished.lake)) == []
    assert list(stale_steps(finished.lake, until="clip")) == []
    assert run(finished) == 0


def test_one_source_alone(crawled: World):
    steps = []
    for step in stale_steps(crawled.lake, source="pixiv"):
        crawled.step(step)
        steps.append(step)
    assert {step.partition for step in steps} == {"pixiv"}  # the other is not there to be compared
    assert crawled.lake.info("inventory", "danbooru") is None


def test_until_ends_after_the_named_asset(crawled: World):
    assert crawled.run(until="inventory") == [
        Step(("inventory",), "danbooru"),
        Step(("inventory",), "pixiv"),
    ]
    assert crawled.run(until="records")[0] == Step(("records",), "danbooru")
    assert crawled.lake.info("todo", "pixiv") is None


def test_until_a_metric_passes_for_it_once(crawled: World):
    steps = []
    for step in stale_steps(crawled.lake, source="pixiv", until="clip"):
        steps.append(step)
        if step.assets == ("clip",):
            crawled.score("pixiv", only=("clip",))
        else:
            crawled.step(step)
    assert steps == [Step(INTAKE, "pixiv"), Step(("clip",), "pixiv"), Step(("todo",), "pixiv")]
    assert list(stale_steps(crawled.lake, source="pixiv", until="clip")) == []
    further = next(stale_steps(crawled.lake, source="pixiv", until="pixels"))
    assert further == Step(("clip", "drawing", "pixels"), "pixiv")


def test_a_change_in_one_source_leaves_the_other_alone(world: World):
    world.change("sources/pixiv.yaml", lambda conf: conf.update(ai_tags=["風景"]))
    steps = world.run()
    tables = ("merged", "prefiltered", "augmented", "dedup_intra")
    assert steps[:2] == [Step(("todo",), "pixiv"), Step(tables, "pixiv")]
    assert "danbooru" not in {step.partition for step in steps}
    assert Step(("dedup_cross",), None) in steps


def test_a_remake_that_changes_nothing_ends_there(world: World):
    """The table across the sources is judged by the content of what it reads."""
    world.lake.distrust("augmented", "pixiv")
    assert world.run() == [Step(("augmented", "dedup_intra"), "pixiv")]


def test_a_run_that_was_ended_is_taken_up_where_it_stopped(world: World):
    path = layout.stage_path("images", None)
    for name in world.lake.store.list(path)["path"]:
        world.lake.store.delete(name)
    assert world.run() == [Step(("images",), None)]  # what follows is as it was
    path = layout.stage_path("merged", "pixiv")
    for name in world.lake.store.list(path)["path"]:
        world.lake.store.delete(name)
    merged = Step(("merged", "prefiltered", "augmented", "dedup_intra"), "pixiv")
    assert world.run() == [merged]


def test_deleted_parts_are_pending_again(world: World):
    before = world.lake.state("metrics_merged", "pixiv")
    (first, *_) = world.lake.parts.paths("clip", "pixiv")
    world.lake.store.delete(first)
    assert world.run()[:3] == [
        Step(("todo",), "pixiv"),
        Step(PASSES, "pixiv"),
        Step(("todo", *MERGING), "pixiv"),
    ]
    assert world.lake.state("metrics_merged", "pixiv") == before
    assert world.run() == []


@pytest.mark.slow  # makes everything twice
def test_a_new_work_is_scored_alone(crawled: World):
    crawled.run()
    parts = set(crawled.lake.parts.paths("clip", "pixiv"))
    crawled.add_pixiv(105, pixiv_record(105))
    crawled.change("releases/demo.yaml", lambda conf: conf.update(name="second"))
    (crawled.conf / "releases/demo.yaml").rename(crawled.conf / "releases/second.yaml")
    crawled.run()
    (new,) = set(crawled.lake.parts.paths("clip", "pixiv")) - parts
    assert crawled.lake.parts.read("clip", "pixiv").filter(pl.col("part") == new).select(
        "image_key"
    ).collect().to_series().to_list() == ["pixiv/105_p0"]
    manifest = read_manifest(crawled.lake.store, "releases/second")
    assert manifest is not None and manifest.counts["images"] == 4


def test_a_failing_step_names_itself_the_cause_and_where_to_look(crawled: World):
    crawled.bucket.rename(crawled.home / "elsewhere")
    with pytest.raises(RunFailed) as failure:
        run(crawled)
    first, *_, last = str(failure.value).splitlines()
    assert first.startswith("danbooru: inventory, records, todo: ConnectionError: ")
    assert str(crawled.bucket) in first and "see run" in last
    assert crawled.said[0] == "making danbooru: inventory, records, todo"


def test_a_check_that_blocks_fails_the_run_and_the_next_one_too(world: World):
    """A table that a blocking check refused is made again, never gone past."""
    inventory = world.lake.read("inventory", "pixiv").collect()
    todo = world.lake.read("todo", "pixiv").collect()
    lost = pl.concat([todo, todo.head(1).with_columns(image_key=pl.lit("pixiv/999_p0"))])
    info = world.lake.info("todo", "pixiv")
    assert info is not None and inventory.height == 4
    world.lake.write("todo", "pixiv", pl.concat([lost, lost.tail(1)]), inputs=info.inputs)
    for _ in range(2):
        with pytest.raises(RunFailed, match=r"(?s)pixiv: .*merged: nothing_vanished"):
            run(world)


def test_a_refused_recipe_holds_back_its_releases_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """Of two recipes one is refused; the release of the other is made, and so is the gallery."""
    recipe = (world.conf / "recipes" / "animagine4.yaml").read_text()
    (world.conf / "recipes" / "second.yaml").write_text(recipe.replace("animagine4", "second"))
    demo = (world.conf / "releases" / "demo.yaml").read_text()
    other = demo.replace("animagine4", "second").replace("name: demo", "name: other")
    (world.conf / "releases" / "other.yaml").write_text(other)
    (world.conf / "releases" / "demo.yaml").write_text(demo.replace("name: demo", "name: third"))
    (world.conf / "releases" / "demo.yaml").rename(world.conf / "releases" / "third.yaml")
    never = Check("safety", "Refuses a recipe.", lambda _, name: (name == "second", {}), True)
    monkeypatch.setattr(checks, "SANITIZED", (never,))
    world.change("safety.yaml", lambda conf: conf.update(banned_words=["solo"]))
    for _ in range(2):
        with pytest.raises(RunFailed, match=r"(?s)animagine4: sanitized: .*see run"):
            run(world)
        assert world.lake.state("release", "other"), world.said
        assert not world.lake.state("release", "third")
        assert "not making third: release: a check of animagine4 failed" in world.said
        assert "making gallery" in world.said


def test_what_assets_say_is_said_to_the_person(crawled: World):
    assert run(crawled, source="pixiv", until="records") == 1
    assert crawled.said == [
        "making pixiv: inventory, records",
        "  pixiv: 4 images, 4 new, 0 removed; 0 files set aside",
        "  pixiv: 5 records, 0 rejects; 5 files parsed, 0 known",
    ]


def test_an_empty_bucket_goes_through_to_a_release_that_says_so(empty: World):
    for name in ("dedup_cross", "members", "images"):
        info = empty.lake.info(name)
        assert info is not None and info.rows == 0
    with pytest.raises(RunFailed) as failure:
        run(empty)
    assert "release 'demo' would be empty" in str(failure.value)
    assert "conf/releases/demo.yaml" in str(failure.value)
    drawn = empty.make("gallery")
    assert drawn.success and metadata(drawn, "gallery")["thumbs"] == 0
