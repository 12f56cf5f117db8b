"""What is never released, as constants: configuration can add to them and take nothing away."""

import re
import unicodedata

import polars as pl

SEXUALISED_MINORS = (
    "loli",
    "shota",
    "toddlercon",
    "lolicon",
    "shotacon",
    "ロリ",
    "ショタ",
    "ロリコン",
    "ショタコン",
    "ろり",
    "しょた",
    "ろりこん",
    "しょたこん",
    "ロリショタ",
    "合法ロリ",
    "ロリ巨乳",
    "巨乳ロリ",
    "貧乳ロリ",
    "ロリババア",
    "ロリっ娘",
    "ロリっ子",
    "ロリ娘",
    "ロリ化",
    "ショタ化",
    "ショタっ子",
    "萝莉",
    "蘿莉",
    "로리",
    "쇼타",
)
CHILDREN = (
    "child",
    "male_child",
    "female_child",
    "aged_down",
    "子供",
    "子ども",
    "こども",
    "幼児",
    "幼女",
)
ADULT_RATINGS = ("questionable", "explicit")

_INVISIBLE = "[\u00ad\u200b-\u200f\u2060\ufeff]"
_BLANKS = "[\\s_\u2010-\u2015\u2212\u30fb-]+"
_SCRIPTS = ("\u3041-\u3096", "\u30a1-\u30fa\u30fc")  # hiragana; katakana with its long mark


def normal_tag(tag: str) -> str:
    """One spelling of a tag: NFKC, folded case, blanks and hyphens as `_`, no leading `#`."""
    text = unicodedata.normalize("NFKC", re.sub(_INVISIBLE, "", tag)).casefold()
    return re.sub(_BLANKS, "_", text.lstrip("#")).strip("_")


def normal_tag_expr(tag: pl.Expr) -> pl.Expr:
    """`normal_tag` as an expression over String; lower case stands for folded case."""
    text = tag.str.replace_all(_INVISIBLE, "").str.normalize("NFKC").str.to_lowercase()
    return text.str.strip_chars_start("#").str.replace_all(_BLANKS, "_").str.strip_chars("_")


def tag_in(tag: pl.Expr, listed: tuple[str, ...] | list[str]) -> pl.Expr:
    """Whether the whole tag is one of the list, in any spelling, joined up or apart. Boolean."""
    keys = sorted({normal_tag(item).replace("_", "") for item in listed})
    return normal_tag_expr(tag).str.replace_all("_", "", literal=True).is_in(keys)


def words_pattern(listed: tuple[str, ...] | list[str]) -> str:
    """A regular expression for running text normalised by `normal_tag_expr`.

    A Latin word counts whole or with a plural ending (`loli` is not in `lolita`); a word in
    hiragana or katakana where no more of that script adjoins it (`ロリ` is not in `ロリータ`);
    any other wherever it stands. With an empty list the pattern matches nothing.
    """
    parts = []
    for word in sorted({normal_tag(item) for item in listed}):
        script = next((one for one in _SCRIPTS if re.fullmatch(f"[{one}]+", word)), None)
        if word.isascii():
            stem = re.escape(word).replace("_", "_?")
            parts.append(f"(?:^|[^a-z0-9]){stem}(?:s|es|ren)?(?:[^a-z0-9]|$)")
        elif script:
            parts.append(f"(?:^|[^{script}]){word}(?:[^{script}]|$)")
        else:
            parts.append(re.escape(word))
    return "|".join(parts) if parts else r"\A\z."


def text_has(text: pl.Expr, listed: tuple[str, ...] | list[str]) -> pl.Expr:
    """Whether running text holds a word of the list (see `words_pattern`). Null for null."""
    return normal_tag_expr(text).str.contains(words_pattern(listed))
