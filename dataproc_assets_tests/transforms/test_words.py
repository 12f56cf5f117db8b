from datetime import date, datetime

import polars as pl
import pytest

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.words import (
    category_rank,
    field_texts,
    listed_rank,
    sentences,
    tag_text,
)
from dataproc_assets_tests.transforms.frames import changed, conf, images

AS_OF = date(2026, 11, 1)
RECIPE = changed(conf("recipes/animagine4", RecipeConfig), banned=["lowres"])


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("hatsune_miku", "hatsune miku"),
        ("^_^", "^_^"),
        ("o_o", "o_o"),
        ("a_bc", "a bc"),
        ("東_方", "東_方"),
        ("commentary_request", None),
        ("bad_id", None),
        ("bad_pixiv_id", None),
        ("english_commentary", None),
        ("translated", None),
        ("partially_translated", "partially translated"),
        ("revision", None),
        ("revisions", "revisions"),
        ("lowres", None),
        ("lowres_hat", "lowres hat"),
        ("id", "id"),
        ("k-on!", "k-on!"),
        ("hello,_world", "hello world"),
        (",", ","),
        ("_" * 9, None),
    ],
)
def test_hygiene_of_tags(tag, text):
    assert pl.select(tag_text(pl.lit(tag), RECIPE)).item() == text


def test_a_pattern_is_no_regular_expression():
    recipe = changed(RECIPE, strip=["a.c(*"])
    found = pl.DataFrame({"t": ["a.c(x", "abc(x"]}).select(tag_text(pl.col("t"), recipe))
    assert found.to_series().to_list() == [None, "abc(x"]


def test_a_listed_tag_has_its_group_and_others_that_of_their_category():
    names = [group.name for group in RECIPE.groups]
    assert names[pl.select(listed_rank(pl.lit("1girl"), RECIPE)).item()] == "count"
    assert pl.select(listed_rank(pl.lit("solo"), RECIPE)).item() is None
    assert names[pl.select(category_rank(pl.lit("copyright"), RECIPE)).item()] == "series"
    assert pl.select(category_rank(pl.lit("unheard_of"), RECIPE)).item() is None


def said(recipe, *items):
    texts = {recipe.groups[r].kind: text for r, text in field_texts(recipe, AS_OF).items()}
    return images(*items).select(**texts).collect()


def test_fields_speak_by_the_recipe_and_are_silent_where_unknown():
    known = {"rating": "questionable", "tier": "best", "year": 2020}
    out = said(RECIPE, known, {})
    assert out.rows() == [("nsfw", "year 2020", "high score"), (None, None, None)]


@pytest.mark.parametrize(
    ("percentile", "words"),
    [
        (95.1, "masterpiece"),
        (95.0, "best quality"),
        (60.1, "good quality"),
        (30.1, "normal quality"),
        (30.0, "worst quality"),
        (0.1, "worst quality"),
        (None, None),
    ],
)
def test_a_model_has_its_own_cuts_of_the_percentile(percentile, words):
    recipe = conf("recipes/noobai", RecipeConfig)
    assert said(recipe, {"tier_percentile": percentile})["quality"].item() == words


@pytest.mark.parametrize(
    ("created", "words"),
    [
        (datetime(2025, 11, 2), "masterpiece"),  # 364 days
        (datetime(2025, 11, 1), "best quality"),  # 365
        (None, "best quality"),
    ],
)
def test_newer_images_are_cut_more_softly(created, words):
    recipe = conf("recipes/kohaku", RecipeConfig)
    item = {"tier_percentile": 92.0, "created": created}
    assert said(recipe, item)["quality"].item() == words


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "no." Then left.', ['He said "no."', "Then left."]),
        ("v1.2 is out", ["v1.2 is out"]),
        ("猫。犬！", ["猫。", "犬！"]),
        ("", []),
        (None, None),
    ],
)
def test_sentences(text, parts):
    found = pl.select(sentences(pl.lit(text, dtype=pl.String))).to_series()
    assert found.to_list() == [parts]
