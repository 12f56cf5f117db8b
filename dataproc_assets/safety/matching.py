"""How a listed word is found: as a whole tag or in running text, however it is spelt.

Text is brought to one spelling first, once for all lists.
"""

import re
from collections.abc import Iterable

import polars as pl

# what is drawn without a width or not at all, controls among it
_INVISIBLE = (
    "[\\x00-\\x08\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_STRUCK = "[\u0300-\u036f\u20d0-\u20ff]"  # marks that no letter has taken up: l̶o̶l̶i̶
_BLANK = "\\s_\u00b7\u2010-\u2015\u2022\u2027\u2212\u30a0\u30fb-"
_LATIN, _CYRILLIC = "a-z\u00df-\u024f", "\u0400-\u045f"
_TAG_LETTER = r"[\p{L}\p{N}_]"  # what a hashtag goes on with
_PLURALS = "s|es|ren"
_COMPOUNDS = "コン|ババア|ババァ|キャラ|ボディ|ビッチ|メイド|エルフ|サキュバス|ママ|ロリ"
# The letters of a script, and what may follow a word of it without making it another word.
_SCRIPTS = {
    _LATIN: _PLURALS,
    _CYRILLIC: "",
    "\u3041-\u3096\u30fc": "の|が|は|を|に|と|も|で|たち|っこ",
    "\u30a1-\u30fa\u30fc": _COMPOUNDS,
    "\uac00-\ud7a3": "콘|들|가|는|를|의|와|도",
}
_NOTHING = r"\A\z."  # a pattern that no text matches
_NOT_BEFORE = {"萝莉": "塔", "蘿莉": "塔", "羅莉": "塔", "正太": "郎"}  # Lolita, Shotaro


def text_spelling(text: pl.Expr) -> pl.Expr:
    """One spelling of running text (String): NFKC, lower case, nothing invisible."""
    plain = text.str.replace_all(_INVISIBLE, "").str.normalize("NFKC").str.to_lowercase()
    return plain.str.replace_all(_STRUCK, "")


def ascii_spelling(text: pl.Expr) -> pl.Expr:
    """What `text_spelling` makes of text in ASCII, in a fraction of the time."""
    return text.str.replace_all("[\\x00-\\x08\\x0e-\\x1f\\x7f]", "").str.to_lowercase()


def joined(spelt: pl.Expr) -> pl.Expr:
    """A spelt tag without blanks, hyphens, underscores and a leading # or @ (String)."""
    return spelt.str.replace_all(f"[{_BLANK}]+", "").str.strip_chars_start("#@")


def hashtag_words(text: pl.Expr) -> pl.Expr:
    """The hashtags of running text whose capitals part them into words, apart (String).

    `#CuteCatArt` gives `Cute Cat Art`; null where there is none such. Read beside the text as it
    stands, since capitals may also be put in anywhere.
    """
    parted = text.str.extract_all(rf"[#\uff03]{_TAG_LETTER}*\p{{Ll}}\p{{Lu}}{_TAG_LETTER}*")
    words = parted.list.join(" ").str.replace_all(r"(\p{Ll})(\p{Lu})", "$1 $2")
    return pl.when(parted.list.len() > 0).then(words)


def tag_in(spelt: pl.Expr, listed: Iterable[str]) -> pl.Expr:
    """Whether a whole tag, spelt as text, is one of the list, joined up or apart (Boolean).

    Punctuation around the tag counts for nothing: `loli!` is `loli`.
    """
    keys, tag = _keys(listed), joined(spelt)
    bare = tag.str.replace_all(r"^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$", "")
    return tag.is_in(keys) | bare.is_in(keys)


def tag_says(spelt: pl.Expr, listed: Iterable[str]) -> pl.Expr:
    """As `tag_in`, also in the plural, and as part of a tag that is written without blanks.

    A Latin or Cyrillic tag counts whole (`lolita_fashion` is clothing); in the scripts of East
    Asia one tag is several words, which are looked for as in running text (`ロリ巨乳`).
    """
    words = _spelt(listed)
    spaced = [word for word in words if _script(word) in (_LATIN, _CYRILLIC)]
    plurals = [f"{word}{ending}" for word in spaced for ending in _PLURALS.split("|")]
    unspaced = [word for word in words if word not in spaced]
    return tag_in(spelt, [*words, *plurals]) | text_says(spelt, unspaced)


def text_says(spelt: pl.Expr, listed: Iterable[str]) -> pl.Expr:
    """Whether spelt text holds a word of the list (Boolean; null for null).

    A word counts where no more letters of its script adjoin it (`loli` is not in `lolita`, nor
    `ロリ` in `ロリータ`) but for a plural, a particle or what makes a compound; `#`, a comma or an
    underscore beside it changes nothing. A word of several parts may be written apart or joined.
    One of Chinese characters or mixed scripts counts wherever it stands.
    """
    by_script: dict[str | None, list[str]] = {}
    for word in _spelt(listed):
        pieces = [re.escape(piece) for piece in re.split(f"[{_BLANK}]+", word) if piece]
        by_script.setdefault(_script(word), []).append(f"[{_BLANK}]*".join(pieces))
    found = [_unless_before(pattern) for pattern in by_script.pop(None, [])]
    for letters, patterns in by_script.items():
        edge, endings = f"[^{letters}]", _SCRIPTS[letters or ""]
        found.append(f"(?:^|{edge})(?:{'|'.join(patterns)})(?:{endings})?(?:{edge}|$)")
    return spelt.str.contains("|".join(found) or _NOTHING)


def _keys(listed: Iterable[str]) -> list[str]:
    """The words as `joined` has them, each once."""
    words = pl.Series("word", _spelt(listed), dtype=pl.String).to_frame()
    return words.select(joined(pl.col("word"))).to_series().unique().sort().to_list()


def _spelt(listed: Iterable[str]) -> list[str]:
    """The words as `text_spelling` has them, each once."""
    words = pl.Series("word", list(listed), dtype=pl.String).to_frame()
    spelt = words.select(text_spelling(pl.col("word"))).to_series().unique().sort()
    return spelt.filter(spelt.str.contains(f"[^{_BLANK}]")).to_list()


def _script(word: str) -> str | None:
    """The letters of the script that a word is of; None of Chinese characters or of several."""
    return next((one for one in _SCRIPTS if re.fullmatch(f"[{one}\\W\\d_]+", word)), None)


def _unless_before(pattern: str) -> str:
    after = _NOT_BEFORE.get(pattern)
    return f"{pattern}(?:[^{after}]|$)" if after else pattern
