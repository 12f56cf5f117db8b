import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.exceptions import PolarsError

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.prompts import prompts
from dataproc_assets.transforms.units import texts_to_count
from dataproc_assets_tests.transforms.frames import changed, conf, images, tag_list

ANIMAGINE = conf("recipes/animagine4", RecipeConfig)
CAPTION = changed(conf("recipes/caption", RecipeConfig), dropout=[], variants=1)
IMAGE = {
    "image_id": "i",
    "tags": tag_list(
        "smile",
        "1girl",
        "miku::character",
        "bad_id::meta",
        "vocaloid::copyright",
        "^_^",
        "odd::odd",
    ),
    "rating": "sensitive",
    "tier": "masterpiece",
    "year": 2021,
    "period": "newest",
    "caption": "a girl\n smiles",
}


def counts(frame, recipe, tokens=None):
    """One token a word, unless given; a mark counts with its word."""
    texts = texts_to_count(frame, recipe).collect()
    words = [(tokens or {}).get(text, len(text.split())) for text in texts["text"]]
    return texts.with_columns(pl.Series("tokens", words, dtype=pl.Int32)).lazy()


def made(recipe, *items, tokens=None):
    frame = images(*items)
    return prompts(frame, recipe, counts(frame, recipe, tokens)).collect()


def test_the_order_is_the_recipes_and_inside_a_group_the_most_certain_comes_first():
    row = made(ANIMAGINE, IMAGE).row(0, named=True)
    assert row["prompt"] == (
        "1girl, miku, vocaloid, sensitive, smile, ^_^, year 2021, masterpiece, high score"
    )
    assert row["groups"][4] == {"group": "general", "tags": ["smile", "^_^"]}
    assert row["caption"] == IMAGE["caption"]
    assert (row["tokens"], row["cut"]) == (11, [])


def test_groups_have_their_own_separator_and_it_costs_tokens():
    row = made(CAPTION, IMAGE).row(0, named=True)
    parts = ["1girl", "sensitive", "a girl smiles", "miku", "vocaloid", "smile, ^_^", "newest"]
    assert row["prompt"] == " ||| ".join(parts)
    assert row["tokens"] == 10 + 6


def test_the_budget_is_spent_by_priority_and_never_inside_a_tag():
    tokens = {"smile,": 5}
    row = made(changed(ANIMAGINE, token_budget=9), IMAGE, tokens=tokens).row(0, named=True)
    # count 1, rating 1, character 1, series 1, quality 3, year 2: nothing is left for general
    assert row["prompt"] == "1girl, miku, vocaloid, sensitive, year 2021, masterpiece, high score"
    assert (row["cut"], row["tokens"]) == (["smile", "^_^"], 9)
    exact = made(changed(ANIMAGINE, token_budget=15), IMAGE, tokens=tokens).row(0, named=True)
    assert (exact["cut"], exact["tokens"]) == ([], 15)
    below = made(changed(ANIMAGINE, token_budget=14), IMAGE, tokens=tokens).row(0, named=True)
    assert (below["cut"], below["tokens"]) == (["^_^"], 14)


def test_a_unit_that_alone_is_over_the_budget_costs_nothing():
    tokens = {"a girl smiles,": 80}
    row = made(CAPTION, IMAGE, tokens=tokens).row(0, named=True)
    assert row["cut"] == ["a girl smiles"]
    assert "miku" in row["prompt"] and "smile" in row["prompt"]


def test_an_image_that_says_nothing_has_an_empty_prompt():
    row = made(ANIMAGINE, {"image_id": "i"}).row(0, named=True)
    assert (row["prompt"], row["groups"], row["tokens"], row["cut"]) == ("", [], 0, [])


def test_without_a_budget_nothing_is_counted():
    recipe = changed(ANIMAGINE, token_budget=None)
    frame = images(IMAGE)
    assert texts_to_count(frame, recipe).collect().is_empty()
    row = prompts(frame, recipe, texts_to_count(frame, recipe)).collect().row(0, named=True)
    assert row["tokens"] is None and row["prompt"].endswith("high score")


def test_a_text_without_a_count_is_named():
    frame = images(IMAGE)
    known = counts(frame, ANIMAGINE).filter(pl.col("text") != "smile,")
    with pytest.raises(PolarsError, match="no token count for smile,"):
        prompts(frame, ANIMAGINE, known).collect()


def test_schema_and_order_of_rows():
    recipe = changed(ANIMAGINE, variants=2)
    out = made(recipe, {**IMAGE, "image_id": "b"}, {**IMAGE, "image_id": "a"})
    assert out.select("image_id", "variant").rows() == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert dict(out.schema) == {
        "image_id": pl.String,
        "variant": pl.Int32,
        "prompt": pl.String,
        "caption": pl.String,
        "groups": pl.List(pl.Struct({"group": pl.String, "tags": pl.List(pl.String)})),
        "tokens": pl.Int32,
        "cut": pl.List(pl.String),
    }


WORDS = ("1girl", "no_humans", "smile", "cat_ears", "^_^", "bad_id", "long_hair_over_one_eye")
TAGS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from(("general", "character", "meta", "odd"))),
    unique_by=lambda pair: pair[0],
)
ITEM = st.fixed_dictionaries(
    {
        "tags": TAGS,
        "rating": st.sampled_from((None, "general", "explicit")),
        "tier": st.sampled_from((None, "best", "worst")),
        "year": st.sampled_from((None, 2020)),
        "caption": st.sampled_from((None, "a cat", "a cat on a hat on a mat")),
    }
)


def by_hand(recipe, item):
    """The same in plain loops: the prompt, its tokens and what was cut."""
    said = {"rating": recipe.rating_words, "quality": recipe.tier_words}
    found = {group.name: [] for group in recipe.groups}
    for tag, category in item["tags"]:
        listed = [g for g in recipe.groups if tag in g.tags]
        fitting = listed or [g for g in recipe.groups if category in g.categories]
        if fitting and not tag.endswith("_id"):
            found[fitting[0].name].append(tag if len(tag) <= 3 else tag.replace("_", " "))
    for group in recipe.groups:
        value = item.get({"quality": "tier"}.get(group.kind, group.kind))
        if group.kind == "year" and value:
            found[group.name].append(f"year {value}")
        elif group.kind == "caption" and value:
            found[group.name].append(value)
        elif group.kind in said and value:
            found[group.name].append(said[group.kind][value])
    used, cut, full, opened = 0, [], False, False
    kept = {name: [] for name in found}
    for group in sorted(recipe.groups, key=lambda g: g.priority):
        for n, text in enumerate(found[group.name]):
            mark = recipe.separator != recipe.group_separator and n == 0 and opened
            opened = True
            cost = len(text.split()) + mark
            if cost > recipe.token_budget:
                cut.append(text)
                continue
            full = full or used + cost > recipe.token_budget
            if full:
                cut.append(text)
            else:
                used += cost
                kept[group.name].append(text)
    parts = [recipe.separator.join(texts) for texts in kept.values() if texts]
    return recipe.group_separator.join(parts), used, cut


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ITEM, min_size=1, max_size=6),
    st.integers(1, 20),
    st.sampled_from((ANIMAGINE, CAPTION)),
    st.randoms(),
)
def test_equal_to_plain_loops_for_any_order_of_images(items, budget, recipe, random):
    recipe = changed(recipe, token_budget=budget)
    rows = [
        {**item, "image_id": f"{n:03d}", "tags": tag_list(*["::".join(p) for p in item["tags"]])}
        for n, item in enumerate(items)
    ]
    random.shuffle(rows)
    out = made(recipe, *rows)
    expected = [by_hand(recipe, item) for item in items]
    assert out.select("prompt", "tokens", "cut").rows() == expected


@pytest.mark.slow
def test_the_sum_of_the_parts_bounds_the_tokens_of_the_whole_prompt():
    from open_clip.tokenizer import SimpleTokenizer

    clip = SimpleTokenizer()
    tags = ["1girl", "saber_(fate)", "k-on!", ":d", "^_^", "ass", "fate/stay_night", "2020s", "ёж"]
    item = {**IMAGE, "tags": tag_list(*tags, "初音ミク::character", "c++::copyright", "a.b.::meta")}
    for recipe in (ANIMAGINE, CAPTION):
        frame = images(item)
        texts = texts_to_count(frame, recipe).collect()
        tokens = {text: len(clip.encode(text)) for text in texts["text"]}
        row = made(changed(recipe, token_budget=500), item, tokens=tokens).row(0, named=True)
        real = len(clip.encode(row["prompt"]))
        assert real <= row["tokens"] <= real + 2 * len(row["groups"])
