"""Whether prompts belong to their latents: held-out losses with true and with shuffled prompts."""

from typing import Any

import numpy as np
import polars as pl


def proof(losses: pl.DataFrame) -> dict[str, Any]:
    """What held-out losses say.

    Args:
        losses: a row an image, each measured by a model that saw neither it nor its family:
            family, fold, `none` (without a prompt), `true`, and `shuffled`, one for each training
            with prompts dealt anew.

    Returns images, families, the three mean losses; `gain` over the shuffled and over none, each
    with its standard error and the number of them (`z`); `p`, the share of the trainings, the true
    one among them, that lost as little as the true one; the share of images on which the true
    prompts beat the mean of the shuffled; and the means by fold.
    """
    rows = losses.with_columns(mean=pl.col("shuffled").list.mean())
    dealt = np.array(losses["shuffled"].to_list()).mean(0)
    true = float(losses["true"].to_numpy().mean())
    return {
        "images": rows.height,
        "families": rows["family"].n_unique(),
        "loss": {
            "none": rows["none"].mean(),
            "true": true,
            "shuffled": rows["mean"].mean(),
        },
        "over_shuffled": _gain(rows, "mean"),
        "over_none": _gain(rows, "none"),
        "p": float(1 + (dealt <= true).sum()) / (1 + len(dealt)),
        "shuffles": len(dealt),
        "better": (rows["true"] < rows["mean"]).mean(),
        "folds": rows.group_by("fold")
        .agg(images=pl.len(), none=pl.mean("none"), true=pl.mean("true"), shuffled=pl.mean("mean"))
        .sort("fold")
        .to_dicts(),
    }


def _gain(rows: pl.DataFrame, other: str) -> dict[str, float]:
    """Mean, standard error and their ratio of what the true prompts lose less.

    Pictures of one family are no independent witnesses: their differences count as one.
    """
    gains = rows.select("family", gain=pl.col(other) - pl.col("true"))
    mean = float(gains["gain"].to_numpy().mean())
    sums = gains.group_by("family").agg(of=(pl.col("gain") - mean).sum()).sort("family")["of"]
    count = len(sums)
    spread = float((sums.to_numpy() ** 2).sum()) * count / max(1, count - 1)
    error = spread**0.5 / rows.height
    return {"mean": mean, "standard_error": error, "z": mean / error if error else 0.0}
