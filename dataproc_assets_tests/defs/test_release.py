import polars as pl
import pytest

from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets_tests.defs.asking import tamper
from dataproc_assets_tests.defs.posts import AI, BANNED_WORD, KEPT, OPT_OUT, TWIN
from dataproc_assets_tests.defs.results import cause, checks, metadata
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"
LATENTS = {
    "vae": "demo",
    "buckets": {"pixels": 65536, "step": 32, "min_side": 128, "max_side": 512},
    "dtype": "float32",
    "batch_size": 4,
    "sample_share": 0.1,
    "small_bucket": 4,
    "shard": {"bytes_max": 4000000},
}


def test_a_release_holds_what_was_kept(finished: World):
    train = read_train(finished.lake.store, "demo")
    assert sorted(train["representative"]) == sorted(KEPT)
    assert read_manifest(finished.lake.store, "releases/demo").inputs == {
        "images": finished.lake.state("images", None),
        f"sanitized/{RECIPE}": finished.lake.state("sanitized", RECIPE),
    }


def test_the_table_has_what_each_value_rests_on(finished: World):
    train = read_train(finished.lake.store, "demo")
    twin = train.filter(pl.col("representative").is_in(TWIN)).row(0, named=True)
    assert twin["members"] == sorted(TWIN) and twin["sources"] == ["danbooru", "pixiv"]
    assert twin[f"prompts__{RECIPE}"]
    tags = {tag["tag"]: {by["source"] for by in tag["sources"]} for tag in twin["tags"]}
    assert tags["hatsune_miku"] == {"danbooru"} and {"danbooru", "pixiv"} <= tags["1girl"]
    said = {twin["artist__source"]: twin["artist"]}
    said |= {lost["source"]: lost["value"] for lost in twin["artist__losing"]}
    assert said == {"pixiv": "Ada", "danbooru": "bo"}


def test_publishing_the_same_again_verifies_what_is_there(world: World):
    before = world.lake.state("release", "demo")
    result = world.make("release", partition="demo")
    assert result.success and all(checks(result).values())
    told = metadata(result, "release")
    assert told["dagster/row_count"] == 3 and told["counts"]["images"] == 3
    assert world.lake.state("release", "demo") == before


def test_other_content_under_a_published_name_is_refused(world: World):
    world.change("releases/demo.yaml", lambda conf: conf["select"].update(year_min=2020))
    result = world.make("release", partition="demo")
    assert not result.success
    name, message = cause(result)
    assert name == "ReleaseExistsError" and "conf/releases/demo.yaml" in message


def test_a_release_may_ask_for_a_score_of_the_representative(world: World):
    world.ask_for_other()
    lake = world.lake
    scores = {
        row["image_key"]: row[f"{source}__clip_score"]
        for source in lake.project.sources
        for row in lake.read("augmented", source).collect().to_dicts()
    }
    line = sorted(scores[key] for key in KEPT)[1]

    def ask(conf: dict) -> None:
        conf["select"]["scores"] = {"clip_score": {"at_least": float(line)}}

    world.change("releases/other.yaml", ask)
    assert world.make("release", partition="other").success
    train = read_train(world.lake.store, "other")
    assert set(train["representative"]) == {key for key in KEPT if scores[key] >= line}
    assert set(train["clip_score"]) == {scores[key] for key in train["representative"]}
    funnel = read_manifest(world.lake.store, "releases/other").counts["funnel"]
    assert any(step["name"].startswith("clip_score >= ") for step in funnel)


@pytest.mark.parametrize("key", [AI, OPT_OUT, BANNED_WORD])
def test_a_sanitized_table_that_keeps_a_forbidden_image_is_refused(world: World, key: str):
    """The release finds what is unsafe by itself: nothing becomes visible."""
    world.ask_for_other()
    image = pl.col("image_id") == _image_id(world, key)
    kept = {"keep": pl.col("keep") | image}
    tamper(world.lake, "sanitized", RECIPE, lambda rows: rows.with_columns(**kept))
    result = world.make("release", partition="other")
    assert not result.success
    name, message = cause(result)
    assert name == "ForbiddenImageError" and _image_id(world, key) in message
    assert read_manifest(world.lake.store, "releases/other") is None
    assert world.lake.store.list("releases/other").is_empty()


def test_the_release_refuses_what_only_now_became_forbidden(world: World):
    """Opted out after `sanitized` was made, whose table says keep: it is not believed."""
    world.ask_for_other()
    world.change("safety.yaml", lambda conf: conf["opt_out"]["artists"].append("Ada"))
    result = world.make("release", partition="other")
    assert cause(result)[0] == "ForbiddenImageError"


def test_a_release_of_nothing_says_so_and_names_its_file(world: World):
    world.ask_for_other()
    world.change("releases/other.yaml", lambda conf: conf["select"].update(year_min=2025))
    result = world.make("release", partition="other")
    name, message = cause(result)
    assert name == "ValueError" and "conf/releases/other.yaml" in message


def test_latents_that_are_not_asked_for_say_how_to_ask(finished: World):
    result = finished.make("latents", partition="demo")
    assert not result.success
    assert "conf/releases/demo.yaml has no section 'latents'" in cause(result)[1]
    assert finished.lake.fresh("latents", "demo")  # nothing is due


def test_latents_are_due_once_they_are_asked_for(world: World):
    world.change("releases/demo.yaml", lambda conf: conf.update(latents=LATENTS))
    assert not world.lake.fresh("latents", "demo")


def test_a_vae_that_is_another_one_fails_before_a_worker_starts(world: World):
    """Said by the run's own process and not by a worker, whose error would be a JobFailed."""
    world.change("releases/demo.yaml", lambda conf: conf.update(latents=LATENTS))
    world.change("vaes/demo.yaml", lambda conf: conf["weights"].update(sha256="0" * 64))
    name, message = cause(world.make("latents", partition="demo"))
    assert name == "WeightsError"
    assert "conf/vaes/demo.yaml:" in message and "expected 0000" in message


def _image_id(world: World, key: str) -> str:
    images = world.lake.read("images").filter(pl.col("representative") == key)
    return images.select("image_id").collect().item()
