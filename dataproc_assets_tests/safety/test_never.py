import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.safety.never import (
    CHILDREN,
    SEXUALISED_MINORS,
    normal_tag,
    normal_tag_expr,
    tag_in,
    text_has,
)


def hits(tags, listed=SEXUALISED_MINORS):
    return pl.DataFrame({"t": tags}).select(tag_in(pl.col("t"), listed)).to_series().to_list()


def says(text, listed=SEXUALISED_MINORS):
    return pl.select(text_has(pl.lit(text, dtype=pl.String), listed)).item()


def test_the_constants_are_there():
    assert {"loli", "shota", "toddlercon", "lolicon", "shotacon", "ロリ", "ショタ"} <= {
        *SEXUALISED_MINORS
    }
    assert {"child", "male_child", "female_child", "aged_down"} <= {*CHILDREN}


@pytest.mark.parametrize(
    "tag",
    [
        "loli",
        "LOLI",
        " Loli ",
        "#loli",
        "ｌｏｌｉ",
        "lo\u200bli",
        "_loli_",
        "toddler-con",
        "Toddler Con",
        "shota_con",
        "ロリ",
        "ﾛﾘ",
        "#ロリ",
        "ショタ",
        "ｼｮﾀ",
        "ロリ巨乳",
        "合法ロリ",
        "ロリコン",
    ],
)
def test_every_spelling_is_caught(tag):
    assert hits([tag]) == [True]


@pytest.mark.parametrize(
    "tag",
    ["lolita_fashion", "gothic_lolita", "ロリータ", "ロリータファッション", "lolipop", "", "_"],
)
def test_whole_tags_only(tag):
    assert hits([tag]) == [False]


@pytest.mark.parametrize(
    "tag", ["aged-down", "Aged Down", "male child", "MALE_CHILD", "ｃｈｉｌｄ"]
)
def test_spellings_of_child_tags(tag):
    assert hits([tag], CHILDREN) == [True]
    assert hits(["childhood", "child_of_light", "children's_day"], CHILDREN) == [False] * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a loli in a dress", True),
        ("two LOLIS!", True),
        ("(loli)", True),
        ("a girl in lolita fashion", False),
        ("lollipop", False),
        ("かわいいロリの絵", True),
        ("ロリータ服", False),
        ("トロリーバス", False),
        ("ショタ", True),
        ("toddlercon!", True),
        ("", False),
    ],
)
def test_words_in_running_text(text, expected):
    assert says(text) is expected


def test_children_in_running_text():
    assert says("a child and its mother", CHILDREN) and says("children playing", CHILDREN)
    assert not says("childhood friends", CHILDREN)


def test_an_empty_list_and_an_unknown_text():
    assert not says("anything", ()) and hits(["anything"], ()) == [False]
    assert says(None) is None


@given(st.text(alphabet="loliSHOTAロリショ_- 　#ｌ\u200b・x", max_size=8))
def test_the_expression_spells_as_the_function_does(tag):
    assert pl.select(normal_tag_expr(pl.lit(tag))).item() == normal_tag(tag)
