"""What the score head tells apart, and how well a score does it."""

import numpy as np
import polars as pl

LINE = 1.2  # the prefilter's: a picture is at it or above
PICTURES = (
    *("animals", "buildings", "food", "people", "plants", "recreation", "transportation"),
    *("education", "tools", "containers", "decorations"),
)
SYMBOLS = (
    *("buttons", "computer/icons", "computer/buttons", "logos", "shapes", "signs_and_symbols"),
    *("office/charts", "transportation/aiga-symbols", "transportation/roadsigns"),
    *("special/patterns", "special/gradients", "people/smilies", "people/stickmen"),
)


def sides(rows: pl.DataFrame) -> np.ndarray:
    """int8 [n]: 1 for a picture, 0 for a symbol, -1 for what is neither, by its folder."""
    symbol = pl.any_horizontal(pl.col("folder").str.starts_with(name) for name in SYMBOLS)
    picture = pl.col("folder").str.split("/").list[0].is_in(PICTURES)
    side = pl.when(symbol).then(0).when(picture).then(1).otherwise(-1)
    return rows.select(side.cast(pl.Int8)).to_series().to_numpy()


def area_under_curve(score: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive [n] scores above a negative, equal scores counting half."""
    rank = pl.Series(score).rank().to_numpy()
    n = positive.sum()
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def figures(score: np.ndarray, side: np.ndarray, drawn: np.ndarray) -> dict:
    """Of scores [n] with their sides, and the scores of the novel's sprites and backgrounds."""
    pictures, symbols = score[side == 1], score[side == 0]
    return {
        "pictures": len(pictures),
        "symbols": len(symbols),
        "auc": area_under_curve(score[side >= 0], side[side >= 0] == 1),
        "pictures at the line": float((pictures >= LINE).mean()),
        "symbols at the line": float((symbols >= LINE).mean()),
        "novel": len(drawn),
        "novel at the line": float((drawn >= LINE).mean()),
        "novel, lowest and highest": [float(drawn.min()), float(drawn.max())],
    }


def table(found: dict) -> str:
    """The card's section, as Markdown."""
    low, high = found["novel, lowest and highest"]
    return (
        f"Unseen creators, {found['pictures']} pictures and {found['symbols']} symbols: area under "
        f"the curve **{found['auc']:.3f}**; {found['pictures at the line']:.0%} of the pictures "
        f"and {found['symbols at the line']:.0%} of the symbols are at {LINE} or above. Of the "
        f"{found['novel']} sprites and backgrounds of the novel, of which none was trained on, "
        f"{found['novel at the line']:.0%} are ({low:.2f} to {high:.2f})."
    )
