"""From records to augmented rows of a source: one outcome for any order, split and thread count."""

import os
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA, RECORD_SCHEMA
from dataproc_assets.sources.merger import merge_source
from dataproc_assets.storage.digest import bytes_digest, frame_digest
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.transforms.augment import augment
from dataproc_assets.transforms.funnel import rule_funnel, rule_hits
from dataproc_assets.transforms.prefilter import prefilter
from dataproc_assets.transforms.tiers import rank_posts, ranked_posts
from dataproc_assets_tests.sources.raw import SOURCES
from dataproc_assets_tests.transforms.frames import METRICS, conf

CURATION = conf("curation", CurationConfig)
N = pl.col("n")


def tables(source, rows):
    """Records, metrics and eligibility of posts with every third tag one that a merger changes."""
    words = [
        "風景",
        "東方100users入り",
        "R-18",
        "highres",
        "AI生成",
        "Concept Art",
        "tagme",
        "1girl",
    ]
    word = [
        (N * step % len(words)).replace_strict(dict(enumerate(words)), return_dtype=pl.String)
        for step in (1, 3, 5)
    ]
    known = {
        "image_key": pl.format("{}/{}", pl.lit(source), N * 7919 % 100_003),
        "source": pl.lit(source),
        "tags_general": pl.concat_list(word),
        "caption": pl.format("a {} #{} https://t.co/{}", N, word[0], N),
        "title": pl.when(N % 5 == 0).then(pl.lit("untitled")).otherwise(pl.format("t {}", N)),
        "rating": pl.when(N % 4 > 0).then(pl.lit("general")),
        "favourites": N * 31 % 97,
        "score": (N * 31 % 97).cast(pl.Float64),
        "created": pl.datetime(2018, 1, 1, time_zone="UTC") + pl.duration(hours=N * 37 % 70_000),
        "status": pl.lit("active"),
        "kind": pl.lit("image"),
        "ai": pl.lit("unknown"),
    }
    blank = {
        name: pl.lit([] if isinstance(kind, pl.List) else None, kind)
        for name, kind in RECORD_SCHEMA.items()
    }
    numbers = pl.DataFrame({"n": pl.int_range(rows, eager=True)})
    records = numbers.select(**{**blank, **known}).cast(RECORD_SCHEMA)
    scored = {
        "metrics_status": pl.when(N % 9 > 0).then(pl.lit("ok")).otherwise(pl.lit("failed")),
        "metrics_error": pl.when(N % 9 == 0).then(pl.lit("truncated: 1 of 2 bytes")),
        "clip_score": (N % 30) / 10,
        "softmax_nsfw": (N % 11) / 12,
        "pixels_width": 200 + N % 700,
        "pixels_height": 200 + N * 3 % 700,
    }
    nothing = {name: pl.lit(None, kind) for name, kind in METRICS.items()}
    metrics = numbers.select(**{"image_key": known["image_key"], **nothing, **scored})
    drop = pl.when(N % 6 == 0).then(pl.lit("few_likes"))
    eligible = numbers.select(
        image_key=known["image_key"],
        has_image=True,
        has_record=True,
        intake_drop=drop,
        intake_drops=pl.concat_list(drop).list.drop_nulls(),
        image_ext=pl.lit("jpg"),
    )
    return records, metrics.cast(METRICS), eligible.cast(ELIGIBILITY_SCHEMA)


def chain(source, inputs, parts=1):
    """The augmented rows by key and the funnel, worked out in parts of the keys."""
    part = pl.col("image_key").hash(0) % parts
    judged, rules = [], CURATION.prefilter
    for number in range(parts):
        own = [table.lazy().filter(part == number) for table in inputs]
        merged = merge_source(own[0], own[1], own[2], SOURCES[source])
        judged.append(prefilter(merged, source, rules).collect())
    config = CURATION.augment
    posts = [ranked_posts(some.lazy(), source, config.tiers).collect() for some in judged]
    tiers = rank_posts(pl.concat(posts), config.tiers, CURATION.as_of)
    done, start = [], 0
    for some in judged:
        own = tiers[start : start + some.height]
        done.append(augment(some, own, source, config).collect())
        start += some.height
    hits = pl.concat([rule_hits(some.lazy()).collect() for some in judged])
    funnel = rule_funnel(hits, start, ["few_likes"], [rule.name for rule in rules])
    return pl.concat(done).sort("image_key"), funnel


def digests():
    """Of the rows and of the file of each source."""
    lines = []
    for source in sorted(SOURCES):
        rows, funnel = chain(source, tables(source, 3000))
        found = (frame_digest(rows), bytes_digest(to_parquet(rows)), frame_digest(funnel))
        lines.append(" ".join((source, *found)))
    return "\n".join(lines)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(SOURCES)), st.integers(0, 2**32), st.integers(1, 5))
def test_any_order_of_rows_and_any_split_of_keys_gives_the_same(source, seed, parts):
    inputs = tables(source, 120)
    rows, funnel = chain(source, inputs)
    mixed = [table.sample(fraction=1, shuffle=True, seed=seed) for table in inputs]
    again = chain(source, mixed, parts)
    assert_frame_equal(again[0], rows)
    assert_frame_equal(again[1], funnel)


def test_the_rows_say_something_of_every_stage():
    rows, funnel = chain("pixiv", tables("pixiv", 3000))
    assert {"yes", "unknown"} <= set(rows["pixiv__ai"])
    assert set(rows["tier"]) >= {cut.name for cut in CURATION.augment.tiers.cuts}
    assert {"東方"} <= set(rows["pixiv__tags_general"].explode())
    hit = funnel.filter(pl.col("decided") > 0)["reason"].to_list()
    assert hit[:2] == ["few_likes", "undecodable: truncated"] and "low_clip_score" in hit


@pytest.mark.slow
def test_any_number_of_threads_gives_the_same_rows_and_bytes():
    code = "from dataproc_assets_tests.sources.test_same_rows import digests; print(digests())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "POLARS_MAX_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "4")
    }
    assert len(found) == 1 and found.pop().count("\n") == len(SOURCES)
