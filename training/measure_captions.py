"""How often the nearest caption of the bank has something to do with a picture."""

import numpy as np
import polars as pl

SMALL_WORDS = {"the", "and", "with", "for", "from", "of", "in", "on", "an", "at", "to"}


def words(text: str) -> set[str]:
    """The words of a text that say something, without a plural's s."""
    return {w.rstrip("s") for w in text.lower().split() if len(w) > 2} - SMALL_WORDS


def shares_word(caption: str | None, title: str, file: str, keywords: list[str]) -> bool:
    """Whether a caption has a word of the picture's title, file name or keywords."""
    return bool(caption) and bool(words(caption) & words(" ".join([title, file, *keywords])))


def figures(rows: pl.DataFrame, said: pl.DataFrame) -> dict:
    """Of pictures and their `caption_text` and `caption_cosine`, in the same order."""
    right = np.array(
        [
            shares_word(text, *row)
            for text, row in zip(
                said["caption_text"], rows.select("title", "file", "keywords").rows(), strict=True
            )
        ]
    )
    given = said["caption_text"].is_not_null().to_numpy()
    texts = said["caption_text"].drop_nulls()
    # Each caption moved on by one: a caption of another picture.
    moved = said["caption_text"].shift(1)
    chance = np.array(
        [
            shares_word(text, *row)
            for text, row in zip(
                moved, rows.select("title", "file", "keywords").rows(), strict=True
            )
        ]
    )
    return {
        "pictures": len(rows),
        "with a caption": float(given.mean()),
        "different captions": texts.n_unique(),
        "of these sharing a word": float(right[given].mean()) if given.any() else 0.0,
        "by chance": float(chance[moved.is_not_null().to_numpy()].mean()) if given.any() else 0.0,
    }


def table(found: dict) -> str:
    """The card's section, as Markdown."""
    return (
        f"{found['pictures']} pictures of unseen creators: {found['with a caption']:.0%} get a "
        f"caption ({found['different captions']} different ones); the others are not near enough "
        f"to any. **{found['of these sharing a word']:.0%}** of the captions share a word with "
        f"the picture's title, file name or keywords (with those of another picture: "
        f"{found['by chance']:.0%})."
    )
