from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.release.select import Step, train_table, with_split
from dataproc_assets_tests.release.crawl import release_config


def test_funnel_names_each_step_and_counts(crawl):
    selection = train_table(
        crawl.images,
        crawl.sanitized,
        release_config(select={"ratings": ["general"], "year_min": 2017, "tiers": ["best"]}),
    )
    assert selection.funnel == [
        Step("kept by recipe animagine", 12, 12),
        Step("kept by recipe illustrious", 12, 12),
        Step("rating in general", 12, 6),
        Step("tier in best", 6, 6),
        Step("year >= 2017", 6, 3),
    ]
    assert selection.table["year"].to_list() == [2017, 2017, 2017]
    assert selection.table["image_id"].is_sorted()


def test_one_recipe_that_drops_an_image_is_enough(crawl):
    dropped = crawl.images["image_id"][0]
    sanitized = crawl.sanitized | {
        "illustrious": crawl.sanitized["illustrious"].with_columns(
            keep=pl.col("image_id") != dropped
        )
    }
    selection = train_table(crawl.images, sanitized, release_config())
    assert dropped not in selection.table["image_id"]
    assert selection.funnel[1] == Step("kept by recipe illustrious", 12, 11)


def test_a_null_keep_drops(crawl):
    sanitized = {
        name: frame.with_columns(keep=pl.lit(None, pl.Boolean))
        for name, frame in crawl.sanitized.items()
    }
    assert train_table(crawl.images, sanitized, release_config()).table.is_empty()


def test_unknown_values_satisfy_no_condition(crawl):
    images = crawl.images.with_columns(rating=pl.lit(None, pl.String))
    assert train_table(images, crawl.sanitized, release_config()).table.is_empty()
    untiered = release_config(select={"ratings": ["sensitive"], "tiers": [None]})
    assert (
        train_table(crawl.images, crawl.sanitized, untiered).table["tier"].to_list() == [None] * 3
    )


def test_variants_stand_in_order(crawl):
    one = crawl.sanitized["animagine"]
    two = one.with_columns(variant=pl.lit(1, pl.Int32), prompt=pl.lit("short"))
    table = train_table(
        crawl.images,
        {"animagine": pl.concat([two, one])},
        release_config(recipes=["animagine"]),
    ).table
    for title, prompts in table.select("title", "prompts__animagine").iter_rows():
        assert prompts == [f"animagine prompt, {title}", "short"]


@pytest.mark.parametrize(("cap", "most"), [("artist", 2), ("character", 4), ("source", 3)])
def test_caps_hold(crawl, cap, most):
    table = train_table(crawl.images, crawl.sanitized, release_config(caps={cap: most})).table
    groups = {
        "artist": table["artist"].drop_nulls(),
        "character": table.select(pl.col("tags").explode())
        .unnest("tags")
        .filter(category="character")["tag"],
        "source": table["representative"].str.split("/").list.first(),
    }
    assert groups[cap].value_counts()["count"].max() == most


def test_images_without_an_artist_are_in_no_artist_cap(crawl):
    table = train_table(crawl.images, crawl.sanitized, release_config(caps={"artist": 1})).table
    assert table["artist"].null_count() == 3


@given(seed=st.integers(0, 1000))
def test_selection_does_not_depend_on_row_order(crawl, seed):
    config = release_config(caps={"artist": 1, "character": 5, "source": 2})
    expected = train_table(crawl.images, crawl.sanitized, config).table
    shuffled = train_table(
        crawl.images.sample(fraction=1.0, shuffle=True, seed=seed),
        {
            name: frame.sample(fraction=1.0, shuffle=True, seed=seed + 1)
            for name, frame in crawl.sanitized.items()
        },
        config,
    ).table
    assert shuffled.equals(expected)


def test_buckets_are_the_release_s_own(crawl):
    latents = {
        "vae": "demo",
        "buckets": {"pixels": 16384, "step": 32, "min_side": 64, "max_side": 256},
        "dtype": "float32",
        "batch_size": 2,
        "sample_share": 0.5,
        "small_bucket": 2,
        "shard": {"bytes_max": 10_000},
    }
    table = train_table(crawl.images, crawl.sanitized, release_config(latents=latents)).table
    sizes = dict(table.select("width", "bucket_width").unique().iter_rows())
    assert sizes == {160: 128, 96: 96, 128: 128}


@pytest.mark.parametrize("prompt", ["", "  ", None])
def test_an_image_without_a_prompt_of_every_recipe_stays_out(crawl, prompt):
    silent = crawl.images["image_id"][0]
    said = pl.when(pl.col("image_id") == silent).then(pl.lit(prompt)).otherwise("prompt")
    illustrious = crawl.sanitized["illustrious"].with_columns(prompt=said)
    sanitized = crawl.sanitized | {"illustrious": illustrious}
    selection = train_table(crawl.images, sanitized, release_config())
    assert silent not in selection.table["image_id"]
    assert selection.funnel[1] == Step("kept by recipe illustrious", 12, 11)


SPLITS = {"train": 0.75, "validation": 0.15, "test": 0.1}
MANY = pl.DataFrame({"image_id": [f"{number:032x}" for number in range(20_000)]})


def test_splits_have_their_shares_and_are_drawn_by_the_image_alone():
    config = release_config(splits=SPLITS)
    rows = with_split(MANY, config)
    shares = dict(rows.group_by("split").agg(pl.len() / MANY.height).rows())
    assert all(abs(shares[name] - share) < 0.01 for name, share in SPLITS.items())
    some = with_split(MANY.reverse().head(100), config)
    assert some.equals(some.select("image_id").join(rows, on="image_id", maintain_order="left"))


def test_a_larger_share_moves_nobody_out_of_the_first_split():
    few = with_split(MANY, release_config(splits={"train": 0.7, "validation": 0.3}))
    more = with_split(MANY, release_config(splits={"train": 0.9, "validation": 0.1}))
    in_both = few.filter(pl.col("split") == "train").join(more, on="image_id")
    assert in_both["split_right"].unique().to_list() == ["train"]


@given(st.lists(st.integers(0, 5), min_size=40, max_size=40), st.integers(0, 9))
def test_a_family_is_in_one_split(numbers, seed):
    images = MANY.head(40)
    families = images.with_columns(family=pl.Series([f"f{number}" for number in numbers]))
    rows = with_split(images, release_config(splits=SPLITS, seed=seed), families)
    split = rows.join(families, on="image_id").group_by("family").agg(pl.col("split").n_unique())
    assert split["split"].max() == 1
    assert rows["image_id"].to_list() == images["image_id"].to_list()


def test_one_split_takes_everything(crawl):
    table = train_table(crawl.images, crawl.sanitized, release_config()).table
    assert table["split"].unique().to_list() == ["train"]


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        ({"at_least": 1.2}, [1.2, 1.3]),
        ({"at_most": 1.2}, [1.1, 1.2]),
        ({"at_least": 1.2, "at_most": 1.2}, [1.2]),
    ],
)
def test_a_score_is_kept_at_its_bound_and_an_unknown_one_never(crawl, bounds, kept):
    scores = pl.Series("clip_score", [1.1, 1.2, 1.3, None, float("nan")], dtype=pl.Float32)
    images = crawl.images.filter(pl.col("rating") == "general").head(5).with_columns(scores)
    select = {"ratings": ["general"], "scores": {"clip_score": bounds}}
    selection = train_table(images, crawl.sanitized, release_config(select=select))
    found = selection.table["clip_score"].cast(pl.String).cast(pl.Float64).sort().to_list()
    assert found == kept
    names = [step.name for step in selection.funnel if step.name.startswith("clip_score")]
    signs = {"at_least": "clip_score >= 1.2", "at_most": "clip_score <= 1.2"}
    assert names == [signs[name] for name in bounds]


NAMES = st.sampled_from(["ada", "bo", "cy"])
PEOPLE = st.lists(
    st.tuples(st.sampled_from(["pixiv", "danbooru"]), st.none() | NAMES, st.sets(NAMES)),
    max_size=30,
)


def peopled(people) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Images of these sources, artists and characters, with a prompt each."""
    tags = pl.List(pl.Struct({"tag": pl.String, "category": pl.String}))
    images = MANY.head(len(people)).with_columns(
        pl.Series("representative", [f"{source}/1" for source, _, _ in people], dtype=pl.String),
        pl.Series("artist", [artist for _, artist, _ in people], dtype=pl.String),
        pl.Series(
            "tags",
            [
                [{"tag": "ada", "category": "general"}]  # the name of no character
                + [{"tag": name, "category": "character"} for name in sorted(names)]
                for _, _, names in people
            ],
            dtype=tags,
        ),
        rating=pl.lit("general"),
    )
    prompts = images.select("image_id", variant=0, keep=True, prompt=pl.lit("1girl"))
    return images, {"animagine": prompts}


def groups_of(people, cap: str) -> list[set[str]]:
    return [
        {
            "source": {source},
            "artist": {artist} - {None},
            "character": names,
        }[cap]
        for source, artist, names in people
    ]


@given(PEOPLE, st.sampled_from(["source", "artist", "character"]), st.integers(1, 5))
def test_a_cap_is_never_passed_and_keeps_out_nobody_without_need(people, cap, most):
    images, prompts = peopled(people)
    config = release_config(recipes=["animagine"], caps={cap: most})
    selection = train_table(images, prompts, config)
    shuffled = train_table(images.sample(fraction=1, shuffle=True, seed=most), prompts, config)
    assert shuffled.table.equals(selection.table)
    kept = set(selection.table["image_id"])
    taken = dict.fromkeys(["pixiv", "danbooru", "ada", "bo", "cy"], 0)
    groups = dict(zip(images["image_id"], groups_of(people, cap), strict=True))
    for image in kept:
        for name in groups[image]:
            taken[name] += 1
    assert all(count <= most for count in taken.values())
    for image in set(groups) - kept:  # one of its groups is full
        assert any(taken[name] == most for name in groups[image])
    assert selection.funnel[-1] == Step(f"cap of {cap}", len(people), len(kept))


@given(PEOPLE, st.integers(1, 3), st.integers(1, 3), st.integers(1, 5))
def test_all_caps_hold_together(people, artist, character, source):
    images, prompts = peopled(people)
    caps = {"artist": artist, "character": character, "source": source}
    config = release_config(recipes=["animagine"], caps=caps)
    kept = set(train_table(images, prompts, config).table["image_id"])
    for cap, most in caps.items():
        named = zip(images["image_id"], groups_of(people, cap), strict=True)
        taken = Counter(name for image, names in named if image in kept for name in names)
        assert all(count <= most for count in taken.values())
