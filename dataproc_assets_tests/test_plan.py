import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.plan import NEVER, due_pass, due_stages, print_plan
from dataproc_assets.storage import layout
from dataproc_assets.transforms.estimate import estimate_pass
from dataproc_assets_tests.defs.world import World


def reasons(world: World, source: str | None = None) -> dict[tuple[str, str | None], str]:
    return {(due.stage, due.partition): due.why for due in due_stages(world.lake, source)}


def test_where_nothing_was_made_all_of_it_is_due(crawled: World, capsys):
    assert set(reasons(crawled).values()) == {NEVER}
    assert {name for name, _ in reasons(crawled)} == set(crawled.lake.stages) - {
        "latents",
        "denoiser",
    }
    print_plan(crawled.lake)
    said = capsys.readouterr().out
    assert "no metric pass is due" in said and "before intake of danbooru, pixiv" in said


def test_where_all_is_made_nothing_is_due(finished: World, capsys):
    assert reasons(finished) == {}
    print_plan(finished.lake)
    assert "every table is up to date" in capsys.readouterr().out


def test_what_was_deleted_is_due_with_what_reads_it(world: World):
    path = layout.stage_path("merged", "pixiv")
    for name in world.lake.store.list(path)["path"]:
        world.lake.store.delete(name)
    found = reasons(world)
    assert found["merged", "pixiv"] == NEVER
    assert found["prefiltered", "pixiv"] == "changed: merged/pixiv"
    assert found["augmented", "pixiv"] == "reads what is due: prefiltered"
    assert ("merged", "danbooru") not in found and ("todo", "pixiv") not in found
    assert not {"release", "latents", "denoiser"} & {name for name, _ in found}
    assert reasons(world, "danbooru") == {}


def test_a_changed_threshold_is_named_as_configuration(world: World):
    world.change("sources/pixiv.yaml", lambda source: source.update(removed_share_max=0.5))
    assert "configuration" in reasons(world)["inventory", "pixiv"]


def test_the_pass_that_is_due_has_its_price(world: World, capsys):
    (first, *_) = world.lake.parts.paths("clip", "pixiv")
    images = pl.read_parquet(world.lake.store.get(first)).height
    world.lake.store.delete(first)
    assert reasons(world)["todo", "pixiv"].startswith("changed: parts/clip")
    world.make("todo", partition="pixiv")
    world.change("profiles/local.yaml", lambda p: p["runner"].update(price_per_hour=3600.0))
    found = due_pass(world.lake, "pixiv")
    each = world.lake.parts.rate("pixiv").seconds["clip"]
    assert (found.images, found.metrics) == (images, {"clip": images})
    assert found.cost == pytest.approx(images * each)
    assert found.hours == pytest.approx(images * each / found.workers / 3600)
    assert "clip" in reasons(world)["metrics_merged", "pixiv"]
    print_plan(world.lake, "pixiv")
    said = capsys.readouterr().out
    cells = ("pixiv", str(images), "0 s", f"{found.cost:.2f}", "YAML", f"clip {images}", "within")
    assert re.search(" +│ +".join(cells), said)


def test_a_pass_over_the_budget_says_so(world: World, capsys):
    (first, *_) = world.lake.parts.paths("clip", "pixiv")
    world.lake.store.delete(first)
    world.make("todo", partition="pixiv")
    world.change("profiles/local.yaml", lambda p: p["budget"].update(pass_seconds=0.001))
    print_plan(world.lake)
    assert "over 0.001 s, by hand" in capsys.readouterr().out


@given(
    st.lists(st.lists(st.sampled_from(["clip", "pixels"]), unique=True, min_size=1), max_size=8),
    st.integers(1, 4),
)
def test_an_estimate_is_the_same_however_rows_are_cut_into_units(metrics, size):
    rows = pl.DataFrame({"metrics": metrics}, schema={"metrics": pl.List(pl.String)})
    each = {"clip": 0.5, "pixels": 0.25}
    whole = estimate_pass([rows], each, 2, 7200.0)
    assert estimate_pass(list(rows.iter_slices(size)), each, 2, 7200.0) == whole
    seconds = sum(each[name] for names in metrics for name in names)
    assert (whole.worker_seconds, whole.cost) == (seconds, seconds * 2)
    assert whole.hours == seconds / 2 / 3600
    assert sum(whole.metrics.values()) == sum(map(len, metrics))
