"""Rating, AI flag and opt-out: never drawn, and decided over everything known of a component."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.transforms.nested import encode, nest, offsets_of

# of each field the values that decide, from the weakest to the one that outranks all
RANKED = {
    "rating": ("general", "sensitive", "questionable", "explicit"),
    "ai": ("no", "yes"),
    "opt_out": ("false", "true"),
}
_SILENT = -1


def component_facts(known: pl.DataFrame) -> pl.DataFrame:
    """What holds for each component: the most restrictive rating, any AI flag, any opt-out.

    Args:
        known: component, source, rating, ai, opt_out of all members, those dropped too.

    Returns one row a component, sorted: component; rating, null where no member has one; ai,
    "unknown" where none says yes or no; opt_out Boolean, null where nothing is known. For each
    field `{field}__source`, the first source by name whose member said the value, and
    `{field}__losing` List(Struct{source, value, weight}): the other values that sources said,
    sorted, each once; a weight is null, since nothing was weighed.
    """
    ordered = known.sort("component")
    runs = ordered["component"].rle()
    sizes = runs.struct.field("len").to_numpy().astype(np.int64)
    sources, codes = encode(ordered["source"])
    facts = [runs.struct.field("value").alias("component")]
    for field, values in RANKED.items():
        ranks = {value: rank for rank, value in enumerate(values)}
        rank = (
            ordered[field]
            .cast(pl.String)
            .replace_strict(ranks, default=_SILENT, return_dtype=pl.Int64)
            .fill_null(_SILENT)
        )
        facts += _decided(field, rank.to_numpy(), sizes, sources, codes.astype(np.int64))
    return pl.DataFrame(facts).with_columns(
        pl.col("ai").fill_null("unknown"), pl.col("opt_out") == "true"
    )


def _decided(
    field: str,
    rank: NDArray[np.int64],
    sizes: NDArray[np.int64],
    sources: pl.Series,
    source: NDArray[np.int64],
) -> list[pl.Series]:
    """The value of the highest rank of each run, its first source, and what was said besides."""
    values = pl.Series(field, RANKED[field])
    starts = np.cumsum(sizes) - sizes
    top = np.maximum.reduceat(rank, starts) if len(sizes) else rank
    of_run = np.repeat(top, sizes)
    said = np.where(rank == of_run, source, len(sources))
    first = np.minimum.reduceat(said, starts) if len(sizes) else said
    decided = pl.Series(top != _SILENT)
    lost = np.flatnonzero((rank != of_run) & (rank != _SILENT))
    run = np.repeat(np.arange(len(sizes)), sizes)[lost]
    alphabet = values.rank("ordinal").to_numpy().astype(np.int64) - 1
    pair = (run * len(sources) + source[lost]) * len(values) + alphabet[rank[lost]]
    pair = np.unique(pair)
    run, pair = np.divmod(pair, len(values) * max(len(sources), 1))
    by, what = np.divmod(pair, len(values))
    losing = pl.DataFrame(
        {
            "source": sources.gather(by),
            "value": values.sort().gather(what),
            "weight": pl.Series([None], dtype=pl.Float64).new_from_index(0, len(by)),
        }
    )
    return [
        _where(decided, values.gather(np.maximum(top, 0)), field),
        _where(decided, sources.gather(np.where(top == _SILENT, 0, first)), f"{field}__source"),
        nest(
            losing.to_struct(f"{field}__losing"),
            offsets_of(np.bincount(run, minlength=len(sizes))),
        ),
    ]


def _where(there: pl.Series, values: pl.Series, name: str) -> pl.Series:
    """The values, null where there is none."""
    return values.zip_with(there, pl.Series([None], dtype=values.dtype)).alias(name)
