"""Kinds of drawings: which one a picture of the material is, and a table of confusions."""

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from training.material import flatten

KINDS = ["illustration", "monochrome", "icon", "symbol", "flag", "pattern"]
# Folders by kind; where several fit, the longest counts. Other folders are of no kind.
FOLDERS = {
    **dict.fromkeys(("animals", "buildings", "food", "people", "plants"), "illustration"),
    **dict.fromkeys(("recreation", "transportation", "education", "tools"), "illustration"),
    **dict.fromkeys(("containers", "decorations", "computer/hardware"), "illustration"),
    **dict.fromkeys(("computer/icons", "computer/buttons", "people/smilies"), "icon"),
    **dict.fromkeys(("signs_and_symbols", "transportation/aiga-symbols"), "symbol"),
    **dict.fromkeys(("transportation/roadsigns", "shapes/arrows", "people/stickmen"), "symbol"),
    **dict.fromkeys(("shapes/flowchart", "shapes/callouts"), "symbol"),
    "signs_and_symbols/flags": "flag",
    **dict.fromkeys(("special/patterns", "special/gradients", "shapes/stars"), "pattern"),
}
COLOURLESS = 12.0  # of 255: an illustration whose colours are less than that is monochrome
NEARLY_WHITE = 245


def small(path: Path, side: int) -> np.ndarray:
    """uint8 [3, side, side]: the whole picture on white, squashed."""
    image = flatten(path).resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(image).transpose(2, 0, 1).copy()


def colour(path: Path) -> float:
    """The mean, over the pixels that are not white, of the greatest less the least channel."""
    pixels = small(path, 64).astype(np.int16)
    drawn = pixels.min(0) < NEARLY_WHITE
    return float((pixels.max(0) - pixels.min(0))[drawn].mean()) if drawn.any() else 0.0


def kinds(rows: pl.DataFrame, material: Path) -> pl.DataFrame:
    """The rows that are of a kind, with it; an illustration without colours is monochrome."""
    known = sorted(FOLDERS, key=len, reverse=True)
    folder = pl.coalesce(
        pl.when(pl.col("folder").str.starts_with(name)).then(pl.lit(FOLDERS[name]))
        for name in known
    )
    found = rows.with_columns(kind=folder).drop_nulls("kind")
    colours = [
        colour(material / path) if kind == "illustration" else 255.0
        for path, kind in found.select("path", "kind").iter_rows()
    ]
    colourless = pl.Series(colours) < COLOURLESS
    return found.with_columns(
        kind=pl.when(colourless).then(pl.lit("monochrome")).otherwise(pl.col("kind"))
    )


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes]: how often a class (row) was taken for another (column)."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, found), 1)
    return table


def figures(truth: np.ndarray, found: np.ndarray) -> dict:
    """Of classes int64 [n]: accuracy, its mean over the classes, and the table of confusions."""
    counts = confusion(truth, found, len(KINDS))
    there = counts.sum(1) > 0
    each = counts.diagonal()[there] / counts.sum(1)[there]
    return {
        "pictures": len(truth),
        "accuracy": float((truth == found).mean()),
        "mean accuracy of the classes": float(each.mean()),
        "most frequent class": float(counts.sum(1).max() / len(truth)),
        "confusion": counts.tolist(),
    }


def table(found: dict) -> str:
    """The card's section, as Markdown."""
    lines = [
        f"{found['pictures']} pictures of unseen creators: **accuracy {found['accuracy']:.3f}**, "
        f"mean over the classes {found['mean accuracy of the classes']:.3f} (always the most "
        f"frequent class: {found['most frequent class']:.3f}). Rows are what a picture is, columns "
        "what it was taken for:",
        "",
        "| | " + " | ".join(KINDS) + " |",
        "|---|" + "---|" * len(KINDS),
        *(
            f"| {kind} | " + " | ".join(map(str, row)) + " |"
            for kind, row in zip(KINDS, found["confusion"], strict=True)
        ),
    ]
    return "\n".join(lines)
