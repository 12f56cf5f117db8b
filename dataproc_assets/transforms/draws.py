"""Random choices as hashes: the same (seed, names) give the same draw in any order, anywhere."""

import polars as pl
import polars_hash  # noqa: F401  (registers the `nchash` namespace)

_STEP = 2.0**-53


def hash64(seed: int, *names: pl.Expr) -> pl.Expr:
    """xxh3 of the names joined by a zero byte: UInt64, uniform, null where a name is null."""
    joined = pl.concat_str(names, separator="\0")
    return joined.nchash.xxh3_64(seed=seed)  # pyright: ignore[reportAttributeAccessIssue]


def draw(seed: int, *names: pl.Expr) -> pl.Expr:
    """A uniform Float64 strictly between 0 and 1, with 52 bits of the hash."""
    return ((hash64(seed, *names) // 2**12).cast(pl.Float64) * 2 + 1) * _STEP


def race(seed: int, weight: pl.Expr, *names: pl.Expr) -> pl.Expr:
    """The finishing time of a runner of this weight (Float64, infinite for weight 0).

    The first of several wins with probability weight / sum of weights (Efraimidis and Spirakis,
    Weighted random sampling with a reservoir, 2006), whatever the order they are looked at in.
    """
    return -draw(seed, *names).log() / weight
