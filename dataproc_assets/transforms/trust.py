"""Drawing one value among the sources by trust, with who won and who lost."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.config.sources import TrustConfig
from dataproc_assets.transforms.draws import race
from dataproc_assets.transforms.nested import nest, offsets_of

Trust = Mapping[str, TrustConfig]


class Drawn(NamedTuple):
    """Which claims won and lost.

    Attributes:
        winner: UInt32, one an image, the row of the claim that won; null where there was none.
        losers: the rows of those that lost, from the nearest loser on, one image after the other.
        offsets: int64, where those of each image lie in `losers`, as in `nested.Flat`.
    """

    winner: pl.Series
    losers: pl.Series
    offsets: NDArray[np.int64]


def trust_in(field: str, trust: Trust) -> pl.Expr:
    """The weight of column `source` for a field: Float64 in [0, 1].

    A source that is not in `trust` fails when the plan runs (InvalidOperationError).
    """
    weights = {source: float(getattr(one, field)) for source, one in trust.items()}
    return pl.col("source").replace_strict(weights, return_dtype=pl.Float64)


def drawn(claims: pl.DataFrame, ids: pl.Series, field: str, seed: int) -> Drawn:
    """Who wins for each image, source s with probability weight(s) / sum of weights.

    Args:
        claims: image UInt32, an index of `ids`; source; weight Float64; in any order, one row a
            source of an image at most. Weight 0 takes no part.
        ids: the images' ids, which the draw is made by.
        field: part of the draw, as the ids and the sources are.
        seed: of the hash draw over (image id, field, source).
    """
    running = np.flatnonzero((claims["weight"] > 0).to_numpy())
    image = claims["image"].to_numpy()[running]
    count = np.bincount(image, minlength=len(ids))
    winner = np.full(len(ids), -1)
    winner[image] = running  # right where there is one, and overwritten where there are more
    racing = running[count[image] > 1]
    runners = (
        claims.select("image", "source", "weight", row=pl.int_range(pl.len(), dtype=pl.UInt32))[
            racing
        ]
        .with_columns(image_id=ids.gather(claims["image"].gather(racing)))
        .with_columns(
            time=race(seed, pl.col("weight"), pl.col("image_id"), pl.lit(field), pl.col("source"))
        )
        .sort("image", "time", "source")
    )
    first = runners["image"].is_first_distinct()
    won = runners.filter(first)
    winner[won["image"].to_numpy()] = won["row"].to_numpy()
    lost = runners.filter(~first)
    return Drawn(
        winner=pl.Series(winner).replace(-1, None).cast(pl.UInt32),
        losers=lost["row"],
        offsets=offsets_of(np.bincount(lost["image"].to_numpy(), minlength=len(ids))),
    )


def provenance(claims: pl.DataFrame, drawn: Drawn, field: str) -> pl.DataFrame:
    """What a field's draw gives, one row an image.

    Returns `{field}`, `{field}__source`, `{field}__weight`, and `{field}__losing`
    List(Struct{source, value, weight}) from the nearest loser on, out of `claims` with `value`.
    """
    won = claims.select(
        pl.col("value").alias(field),
        pl.col("source").alias(f"{field}__source"),
        pl.col("weight").alias(f"{field}__weight"),
    )
    losing = claims.select("source", "value", "weight").to_struct(f"{field}__losing")
    return won.select(pl.all().gather(drawn.winner)).with_columns(
        nest(losing.gather(drawn.losers), drawn.offsets)
    )
