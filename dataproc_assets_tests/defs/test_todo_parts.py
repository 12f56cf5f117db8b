from dataclasses import replace
from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataproc_assets.defs.todo_parts import open_todo
from dataproc_assets.storage import spill
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.spill import KeyOrder
from dataproc_assets.transforms.eligibility import eligibility
from dataproc_assets.transforms.intake import add_intake_columns
from dataproc_assets.transforms.pending import pending
from dataproc_assets.transforms.rules import apply_rules
from dataproc_assets_tests.sources.raw import RAW, records_of
from dataproc_assets_tests.storage.lakes import part_rows, project_in, put_part

IMAGES = 300
TWITTER = RAW["twitter"]


def tweet(number: int) -> dict:
    """A tweet of one of twenty artists, of whom some have an image above their account's mark."""
    draw = Random(number)
    author = {**TWITTER["author"], "id": number % 20, "followers_count": 500 + 900 * (number % 20)}
    likes = 2000 if number % 40 < 12 and number > 200 else draw.randrange(5, 300)
    return {"tweet_id": 10_000 + number, "author": author, "favorite_count": likes}


def inventory(number: pl.Series) -> pl.DataFrame:
    """The images with an odd and an even version, some of them in a tar."""
    return pl.DataFrame({"n": number}).select(
        image_key=pl.format("twitter/{}_1", 10_000 + pl.col("n")),
        uri=pl.format("/crawl/{}.tar", pl.col("n") // 10),
        offset=pl.col("n") * 512,
        length=pl.lit(5, pl.Int64),
        version=pl.format("5-{}", pl.col("n") % 2),
        ext=pl.lit("jpg"),
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Records, images, and parts of an earlier crawl with one unit done by halves."""
    folder = tmp_path_factory.mktemp("todo")
    (folder / "crawl").mkdir()
    lake = Lake(project_in(str(folder / "store"), folder / "crawl"))
    numbers = pl.int_range(IMAGES, eager=True)
    everything = inventory(numbers)
    lake.write("inventory", "twitter", everything[20:], inputs={})
    tweets = [tweet(number) for number in range(IMAGES - 20)]
    lake.write("records", "twitter", records_of("twitter", *tweets), inputs={})
    keys = everything["image_key"].to_list()
    for metric in lake.project.pass_metrics:
        for start in range(0, 200, 50):
            status = "retry" if (metric, start) == ("clip", 50) else "ok"
            rows = [(key, f"5-{int(key[8:-2]) % 3 % 2}", status) for key in keys[start:][:50]]
            put_part(lake, metric, "twitter", f"{start:04d}", part_rows(*rows))
    put_part(lake, "clip", "twitter", "again", part_rows((keys[60], "5-0", "failed")))
    return lake


def with_storage(lake: Lake, **changes: int) -> Lake:
    """The same storage under another profile."""
    storage = lake.project.profile.storage.model_copy(update=changes)
    profile = lake.project.profile.model_copy(update={"storage": storage})
    return Lake(replace(lake.project, profile=profile))


def at_once(lake: Lake) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Who may be scored, and what is pending, by the transforms over whole tables."""
    images, records = lake.read("inventory", "twitter"), lake.read("records", "twitter")
    config, as_of = lake.project.sources["twitter"], lake.project.curation.as_of
    judged = apply_rules(add_intake_columns(records, as_of, config.ai_tags), config.prefilter)
    eligible = eligibility(images, judged).collect()
    metrics = lake.project.pass_metrics
    scored = {metric: lake.parts.done(metric, "twitter").collect() for metric in metrics}
    return eligible, pending(eligible.lazy(), images, scored)


def in_parts(lake: Lake, folder) -> tuple[int, pl.DataFrame, pl.DataFrame]:
    """The same, a part at a time."""
    parts = open_todo(lake, "twitter", folder)
    order = KeyOrder(folder / "pending", parts.count, parts.spill_mb, rows_at_once=20)
    found = []
    for part in range(parts.count):
        eligible, left = parts.judge(part)
        found.append(eligible)
        order.add(left)
    return parts.count, pl.concat(found).sort("image_key"), pl.concat(order.take())


def test_the_tables_say_something_of_every_case(lake):
    eligible, left = at_once(lake)
    reasons = set(eligible["intake_drop"])
    assert {None, "no_image", "no_record", "large_account_few_likes"} <= reasons
    assert "large_account_without_success" in reasons
    metrics = {tuple(row) for row in left["metrics"]}
    assert {("clip",), tuple(sorted(lake.project.pass_metrics))} <= metrics
    assert left.height < eligible["intake_drop"].null_count()  # some are scored


@pytest.mark.parametrize("memory_mb", [0, 64])
@pytest.mark.parametrize(("buckets", "written"), [(1, 1), (4, 4), (64, 64), (4, 64), (64, 4)])
def test_any_number_of_parts_gives_the_same(
    lake, tmp_path, monkeypatch, buckets, written, memory_mb
):
    """Whether or not the tables were written in as many buckets as the profile has now."""
    monkeypatch.setattr(spill, "PART_ROWS", 1)
    expected = at_once(lake)
    here = with_storage(lake, table_buckets=written)
    for table in ("inventory", "records"):
        here.write(table, "twitter", here.read(table, "twitter").collect(), inputs={})
    now = with_storage(lake, table_buckets=buckets, memory_mb=memory_mb)
    count, *found = in_parts(now, tmp_path)
    assert count == buckets
    assert_frame_equal(found[0], expected[0])
    assert_frame_equal(found[1], expected[1])


def test_tables_that_fit_are_one_part_and_nothing_goes_to_disk(lake, tmp_path):
    count, *_ = in_parts(with_storage(lake, table_buckets=64), tmp_path)
    assert count == 1 and not list(tmp_path.iterdir())
