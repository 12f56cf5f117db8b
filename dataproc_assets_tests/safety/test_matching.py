import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.safety.matching import (
    ascii_spelling,
    hashtag_words,
    tag_in,
    tag_says,
    text_says,
    text_spelling,
)
from dataproc_assets.safety.never import CHILDREN, SEXUALISED_MINORS


def is_tag(tag, listed=SEXUALISED_MINORS, match=tag_says):
    return pl.select(match(text_spelling(pl.lit(tag, dtype=pl.String)), listed)).item()


def says(text, listed=SEXUALISED_MINORS):
    return pl.select(text_says(text_spelling(pl.lit(text, dtype=pl.String)), listed)).item()


@pytest.mark.parametrize(
    "tag",
    [
        *(
            "loli",
            "LOLI",
            " Loli ",
            "_loli_",
            "lo_li",
            "lolis",
            "#loli",
            "@loli",
            "loli!",
            "(loli)",
        ),
        *(
            "ｌｏｌｉ",
            "ⓛⓞⓛⓘ",
            "lo\u200bli",
            "l\ufe0fo\u034fli",
            "l\u0336o\u0336l\u0336i\u0336",
            "\x00loli",
        ),
        *("toddler-con", "Toddler Con", "shota_con", "oppai loli", "onee-shota"),
        *(
            "ロリ",
            "ﾛﾘ",
            "#ロリ",
            "ロ リ",
            "ロリ♡",
            "ショタ",
            "ｼｮﾀ",
            "ロリコン",
            "しょた",
            "ろりっ娘",
        ),
        *(
            "ロリ巨乳",
            "合法ロリ",
            "ロリっ子",
            "ロリババア",
            "ロリメイド",
            "ロリ・吸血鬼",
            "ショタ×おっさん",
        ),
        *("萝莉", "蘿莉控", "正太", "小正太", "로리", "쇼타콘", "лоли", "rorikon", "syotakon"),
    ],
)
def test_every_spelling_of_a_tag_is_caught(tag):
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag",
    [
        *(
            "lolita",
            "lolita_fashion",
            "gothic_lolita",
            "lollipop",
            "lolipop",
            "loli_dress",
            "shotaro",
        ),
        *(
            "shotaro?",
            "mishota",
            "ロリータ",
            "ロリータファッション",
            "ロリィタ",
            "ロリポップ",
            "ポロリ",
            "カロリー",
        ),
        *(
            "トロリーバス",
            "ろりーた",
            "ほろり",
            "ショタロウ",
            "正太郎",
            "萝莉塔",
            "칼로리",
            "쇼타임",
            "",
            "_",
            "!?",
        ),
    ],
)
def test_near_misses_pass(tag):
    assert not is_tag(tag) and not is_tag(tag, CHILDREN)


@pytest.mark.parametrize(
    "tag",
    [
        *("child", "children", "ｃｈｉｌｄ", "male child", "MALE_CHILD", "female_children"),
        *("aged-down", "Aged Down", "子供", "子ども", "子供たち", "幼女化", "儿童", "어린이"),
    ],
)
def test_every_spelling_of_a_child_is_caught(tag):
    assert is_tag(tag, CHILDREN) and not is_tag(tag)


@pytest.mark.parametrize("tag", ["childhood", "child_of_light", "children's_day", "down", "aged"])
def test_a_tag_that_holds_the_word_of_a_child_is_another_tag(tag):
    assert not is_tag(tag, CHILDREN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a loli in a dress", True),
        ("two LOLIS!", True),
        ("(loli)", True),
        ("see #loli", True),
        ("かわいい#ロリ です", True),
        ("＃ロリ", True),
        ("1girl, loli, smile", True),
        ("1girl_loli_smile", True),
        ("lovely ｌｏｌｉ", True),
        ("a lo\u200bli", True),
        ("oppai-loli", True),
        ("a toddler con", True),
        ("loliちゃん", True),
        ("かわいいロリの絵", True),
        ("ろりの絵", True),
        ("로리가 좋아", True),
        ("我爱萝莉", True),
        ("a girl in lolita fashion", False),
        ("gothic_lolita", False),
        ("lollipop", False),
        ("Shotaro and Mishota", False),
        ("ロリータ服", False),
        ("ポロリもあるよ", False),
        ("金田正太郎", False),
        ("it was shot a lot", False),
        ("", False),
    ],
)
def test_words_in_running_text(text, expected):
    assert says(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a child and its mother", True),
        ("children playing", True),
        ("she is aged down", True),
        ("aged-down, aged_down", True),
        ("MALE CHILD", True),
        ("子供の絵", True),
        ("childhood friends", False),
        ("aged, lying down", False),
        ("Rothschild", False),
    ],
)
def test_children_in_running_text(text, expected):
    assert says(text, CHILDREN) is expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("see #CuteCatArt, #dogArt", "#Cute Cat Art #dog Art"),
        ("＃ÉcoleÉtoile", "＃École Étoile"),
        ("#cat #CAT #Cat2024 CuteCat", None),
        ("", None),
        (None, None),
    ],
)
def test_a_hashtag_is_parted_by_its_capitals(text, words):
    assert pl.select(hashtag_words(pl.lit(text, dtype=pl.String))).item() == words


LATIN = [word for word in (*SEXUALISED_MINORS, *CHILDREN) if word.isascii()]


@given(st.sampled_from(LATIN), st.sampled_from(["", "Cute", "my"]), st.sampled_from(["", "Art"]))
def test_a_listed_word_among_others_in_a_hashtag_is_caught(word, before, after):
    tag = before + "".join(part.title() for part in word.split("_")) + after
    text = f"look: #{tag}!"
    apart = pl.select(hashtag_words(pl.lit(text))).item()
    assert says(text, LATIN) or says(apart, LATIN)


def test_an_exact_list_has_no_plurals_and_no_parts():
    assert is_tag("AI 生成", ["AI生成"], tag_in) and not is_tag("AI生成絵", ["AI生成"], tag_in)
    assert is_tag("bo", ["bo"], tag_in) and not is_tag("bos", ["bo"], tag_in)
    assert is_tag("c++", ["c++"], tag_in) and not is_tag("c", ["c++"], tag_in)


def test_a_name_of_letters_with_marks_is_found_in_either_form():
    assert is_tag("Ju\u0308rgen", ["jürgen"], tag_in) and is_tag("JÜRGEN", ["Jürgen"], tag_in)
    assert says("von Érot", ["érot"]) and not says("érotique", ["érot"])


@pytest.mark.parametrize("listed", [[], [""], ["_ -"]])
def test_an_empty_list_and_an_empty_word_match_nothing(listed):
    for match in (tag_in, tag_says):
        assert not is_tag("anything", listed, match) and not is_tag("", listed, match)
    assert not says("anything at all", listed) and not says("", listed)


def test_of_what_is_unknown_nothing_is_said():
    assert says(None) is None and is_tag(None) is None


@given(st.text(st.characters(max_codepoint=127), max_size=12))
def test_ascii_has_the_same_spelling_the_short_way(text):
    assert pl.select(ascii_spelling(pl.lit(text)) == text_spelling(pl.lit(text))).item()


ZERO_WIDTH = st.sampled_from(["", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\ufe0f"])
BLANK = st.sampled_from(["", " ", "_", "-", "\u3000", "＿", "－", "・"])


def full_width(letter):
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter


@given(st.sampled_from([*SEXUALISED_MINORS, *CHILDREN]), st.data())
def test_a_decorated_tag_is_always_caught(tag, data):
    """Whatever its case and width, and whatever is put between its letters and around it."""
    letters = []
    for letter in tag:
        form = data.draw(st.sampled_from([str.lower, str.upper, full_width]))
        between = data.draw(ZERO_WIDTH) + data.draw(BLANK)
        letters.append(between + (form(letter) if letter != "_" else data.draw(BLANK)))
    decorated = "".join(letters) + data.draw(BLANK)
    assert is_tag(decorated, [*SEXUALISED_MINORS, *CHILDREN])


@given(st.sampled_from([*SEXUALISED_MINORS, *CHILDREN]), st.data())
def test_a_listed_word_in_a_text_is_always_caught(word, data):
    """Whatever its case and width, with marks around it that are no letters."""
    letters = [
        data.draw(ZERO_WIDTH) + data.draw(st.sampled_from([str.lower, str.upper, full_width]))(one)
        for one in word.replace("_", data.draw(st.sampled_from([" ", "_", "-", ""])))
    ]
    before = data.draw(st.sampled_from(["", "#", "a, ", "1 ", "(", "smile_", "「", "12"]))
    after = data.draw(st.sampled_from(["", ".", ", b", " 1", ")", "_smile", "」", "\n"]))
    assert says(before + "".join(letters) + after, [*SEXUALISED_MINORS, *CHILDREN])
