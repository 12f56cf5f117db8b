import polars as pl
import pytest

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.words import category_rank, field_texts, listed_rank, tag_text
from dataproc_assets_tests.transforms.frames import changed, conf, images

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


def test_fields_speak_by_the_recipe_and_are_silent_where_unknown():
    frame = images(
        {"rating": "questionable", "tier": "best", "year": 2020},
        {"rating": None, "tier": None, "year": None},
    )
    said = {RECIPE.groups[rank].kind: text for rank, text in field_texts(RECIPE).items()}
    out = frame.select(**said).collect()
    assert out.rows() == [("nsfw", "year 2020", "high score"), (None, None, None)]
