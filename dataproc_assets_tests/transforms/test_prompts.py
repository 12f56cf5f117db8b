import os
import subprocess
import sys
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms import prompts as module
from dataproc_assets.transforms.prompts import PROMPT_SCHEMA, prompts
from dataproc_assets_tests.transforms.frames import changed, conf, images, tag_list

AS_OF = date(2026, 11, 1)
ANIMAGINE = conf("recipes/animagine4", RecipeConfig)
BARRED = changed(
    ANIMAGINE,
    group_separator=" ||| ",
    groups=[
        *[group.model_dump() for group in ANIMAGINE.groups if group.name not in ("artist", "meta")],
        {"name": "words", "kind": "caption", "priority": 20},
    ],
)
SECTIONS = conf("recipes/sd_scripts", RecipeConfig)
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


def counts(tokens=None):
    """One token a word, unless given; a mark counts with its word."""
    return lambda texts: [(tokens or {}).get(text, len(text.split())) for text in texts]


def made(recipe, *items, tokens=None):
    return prompts(images(*items).collect(), recipe, counts(tokens), AS_OF)


def cut(row):
    """What the budget cut, without its groups."""
    return [unit["tag"] for unit in row["cut"]]


def test_the_order_is_the_recipes_and_inside_a_group_the_most_certain_comes_first():
    row = made(ANIMAGINE, IMAGE).row(0, named=True)
    assert row["prompt"] == (
        "1girl, miku, vocaloid, sensitive, smile, ^_^, year 2021, masterpiece, high score"
    )
    general = {"group": "general", "tags": ["smile", "^_^"], "confidence": [1.0, 1.0]}
    assert row["groups"][4] == general
    assert row["groups"][3] == {"group": "rating", "tags": ["sensitive"], "confidence": [None]}
    assert row["caption"] == IMAGE["caption"]
    assert (row["tokens"], row["cut"]) == (11, [])


def test_groups_have_their_own_separator_and_it_costs_tokens():
    row = made(BARRED, IMAGE).row(0, named=True)
    parts = ["1girl", "miku", "vocaloid", "sensitive", "smile, ^_^", "year 2021"]
    parts += ["masterpiece, high score", "a girl smiles"]
    assert row["prompt"] == " ||| ".join(parts)
    assert row["tokens"] == 14 + 7


def test_the_budget_is_spent_by_priority_and_never_inside_a_tag():
    tokens = {"smile,": 5}
    row = made(changed(ANIMAGINE, token_budget=9), IMAGE, tokens=tokens).row(0, named=True)
    # count 1, rating 1, character 1, series 1, quality 3, year 2: nothing is left for general
    assert row["prompt"] == "1girl, miku, vocaloid, sensitive, year 2021, masterpiece, high score"
    assert (cut(row), row["tokens"]) == (["smile", "^_^"], 9)
    assert row["cut"][0] == {"group": "general", "tag": "smile", "confidence": 1.0}
    exact = made(changed(ANIMAGINE, token_budget=15), IMAGE, tokens=tokens).row(0, named=True)
    assert (exact["cut"], exact["tokens"]) == ([], 15)
    below = made(changed(ANIMAGINE, token_budget=14), IMAGE, tokens=tokens).row(0, named=True)
    assert (cut(below), below["tokens"]) == (["^_^"], 14)


def test_a_unit_that_alone_is_over_the_budget_costs_nothing_and_the_next_opens_its_group():
    tokens = {"miku,": 80}
    items = {**IMAGE, "tags": [*IMAGE["tags"], *tag_list("rin::character")]}
    row = made(BARRED, items, tokens=tokens).row(0, named=True)
    assert cut(row) == ["miku"]
    assert row["prompt"].startswith("1girl ||| rin ||| vocaloid")
    assert row["tokens"] == 14 + 7


def test_a_caption_ends_between_two_sentences():
    recipe = conf("recipes/caption", RecipeConfig)
    item = {"image_id": "i", "caption": "A cat.  It sits on a mat!\n猫です。犬です。"}
    whole = made(recipe, item).row(0, named=True)
    assert whole["prompt"] == "A cat. It sits on a mat! 猫です。 犬です。"
    row = made(changed(recipe, token_budget=7), item).row(0, named=True)
    assert row["prompt"] == "A cat. It sits on a mat!"
    assert cut(row) == ["猫です。", "犬です。"]


def test_sections_are_marked_also_where_they_are_empty():
    def said(*tags, **fields):
        item = {"image_id": "i", "tags": tag_list(*tags), **fields}
        return made(SECTIONS, item).row(0, named=True)

    full = said("1girl", "miku::character", "smile", "hat", rating="general", tier="best")
    assert full["prompt"] == "1girl, miku ||| smile, hat ||| safe, best quality"
    assert full["tokens"] == 4 + 3 + 2
    assert said("smile", rating="general")["prompt"] == "||| smile ||| safe"
    assert said("1girl", rating="general")["prompt"] == "1girl ||| ||| safe"
    assert said("1girl", "smile")["prompt"] == "1girl ||| smile |||"
    assert said("1girl")["prompt"] == "1girl ||| |||"
    assert said(rating="general")["prompt"] == "||| ||| safe"
    assert said()["prompt"] == "" and said()["tokens"] == 0


def test_a_tag_cannot_forge_the_marks_at_which_trainers_cut():
    tags = tag_list("a|||b", "|||", "one,_two", "cc,dd::character", ",,,", "x\ny")
    row = made(SECTIONS, {"image_id": "i", "tags": tags, "rating": "general"}).row(0, named=True)
    assert row["prompt"] == "cc dd ||| a b, one two, ,,,, x y ||| safe"


def test_a_tag_without_name_or_category_says_nothing():
    one, other, smile = tag_list("1girl", "hat", "smile")
    tags = [{**one, "tag": None}, {**other, "category": None}, smile]
    assert made(ANIMAGINE, {"image_id": "i", "tags": tags}).row(0, named=True)["prompt"] == "smile"


def test_an_image_that_says_nothing_has_an_empty_prompt():
    row = made(ANIMAGINE, {"image_id": "i"}).row(0, named=True)
    assert (row["prompt"], row["groups"], row["tokens"], row["cut"]) == ("", [], 0, [])


def test_without_a_budget_nothing_is_counted():
    def count(texts):
        raise AssertionError(f"{texts} were counted")

    recipe = changed(ANIMAGINE, token_budget=None)
    row = prompts(images(IMAGE).collect(), recipe, count, AS_OF).row(0, named=True)
    assert row["tokens"] is None and row["prompt"].endswith("high score") and row["cut"] == []


def test_schema_and_order_of_rows():
    recipe = changed(ANIMAGINE, variants=2)
    out = made(recipe, {**IMAGE, "image_id": "b"}, {**IMAGE, "image_id": "a"})
    assert out.select("image_id", "variant").rows() == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert out.schema == PROMPT_SCHEMA
    empty = made(recipe)
    assert empty.schema == PROMPT_SCHEMA and empty.is_empty()


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
    used, left, full, opened = 0, [], False, False
    kept = {name: [] for name in found}
    for group in sorted(recipe.groups, key=lambda g: g.priority):
        mark = recipe.separator != recipe.group_separator
        for text in found[group.name]:
            cost = len(text.split())
            if cost > recipe.token_budget:
                left.append(text)
                continue
            cost += mark and opened
            mark, opened = False, True
            full = full or used + cost > recipe.token_budget
            if full:
                left.append(text)
            else:
                used += cost
                kept[group.name].append(text)
    parts = [recipe.separator.join(texts) for texts in kept.values() if texts]
    return recipe.group_separator.join(parts), used, left


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ITEM, min_size=1, max_size=6),
    st.integers(1, 20),
    st.sampled_from((ANIMAGINE, BARRED)),
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
    found = [(row["prompt"], row["tokens"], cut(row)) for row in out.iter_rows(named=True)]
    assert found == expected


@settings(max_examples=20, deadline=None)
@given(st.lists(ITEM, min_size=1, max_size=9), st.integers(1, 9), st.integers(1, 3))
def test_neither_slices_nor_parts_change_a_prompt(items, cut_at, size):
    recipe = changed(conf("recipes/illustrious", RecipeConfig), token_budget=12)
    rows = images(
        *[
            {
                **item,
                "image_id": f"{n:03d}",
                "tags": tag_list(*["::".join(p) for p in item["tags"]]),
            }
            for n, item in enumerate(items)
        ]
    ).collect()
    whole = prompts(rows, recipe, counts(), AS_OF)
    parts = [prompts(part, recipe, counts(), AS_OF) for part in (rows[:cut_at], rows[cut_at:])]
    assert pl.concat(parts).equals(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLICE", size)
        assert prompts(rows, recipe, counts(), AS_OF).equals(whole)


DIGEST = """
from dataproc_assets.storage.digest import frame_digest
from dataproc_assets_tests.transforms import test_prompts as t
recipe = t.changed(t.conf("recipes/illustrious", t.RecipeConfig), token_budget=12)
tags = [t.tag_list(*[f"tag_{n * k % 997}" for k in range(1, 9)], "1girl") for n in range(40_000)]
rows = t.images(*[{"image_id": f"{n:06d}", "tags": tag} for n, tag in enumerate(tags)])
print(frame_digest(t.prompts(rows.collect(), recipe, t.counts(), t.AS_OF)))
"""


@pytest.mark.slow  # three processes
def test_the_number_of_threads_changes_nothing():
    digests = [
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "POLARS_MAX_THREADS": threads},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        for threads in ("1", "2", "4")
    ]
    assert len(digests[0].strip()) == 64 and len(set(digests)) == 1


@pytest.mark.slow
def test_the_sum_of_the_parts_bounds_the_tokens_of_the_whole_prompt():
    from open_clip.tokenizer import SimpleTokenizer

    clip = SimpleTokenizer()
    tags = ["1girl", "saber_(fate)", "k-on!", ":d", "^_^", "ass", "fate/stay_night", "2020s", "ёж"]
    item = {**IMAGE, "tags": tag_list(*tags, "初音ミク::character", "c++::copyright", "a.b.::meta")}
    recipes = [conf(f"recipes/{name}", RecipeConfig) for name in ("illustrious", "sd_scripts")]
    for recipe in (ANIMAGINE, BARRED, *recipes):
        recipe = changed(recipe, token_budget=500, dropout=[])
        count = lambda texts: [len(clip.encode(text)) for text in texts]  # noqa: E731
        row = prompts(images(item).collect(), recipe, count, AS_OF).row(0, named=True)
        real = len(clip.encode(row["prompt"]))
        assert real <= row["tokens"] <= real + 2 * len(row["groups"])
