"""What the tags that sources spell stand for, decided once for each different spelling."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.transforms.nested import offsets_of

NOTHING = np.uint32(2**32 - 1)  # the reading of a spelling that is no tag


class Vocabulary(NamedTuple):
    """Spellings as readings, each of which is one tag.

    A spelling has one direct reading (itself, corrected or by its alias) and one for each tag that
    this implies. Readings are numbered by their tag's name; those of one tag with its own
    spelling first, then other spellings, then what implies it.

    Attributes:
        names: the tags in alphabetical order.
        tags: uint32, the tag of each reading, as an index of `names`.
        said: the spelling of each reading, null where it is the tag's name itself.
        direct: uint32, the direct reading of each spelling and of a null, or `NOTHING`.
        implied: uint32, the other readings of all spellings, one spelling after the other.
        offsets: int64, where those of each spelling lie in `implied`, as in `nested.Flat`.
    """

    names: pl.Series
    tags: NDArray[np.uint32]
    said: pl.Series
    direct: NDArray[np.uint32]
    implied: NDArray[np.uint32]
    offsets: NDArray[np.int64]


def vocabulary(
    spellings: pl.Series, aliases: Mapping[str, str], implications: Mapping[str, Sequence[str]]
) -> Vocabulary:
    """Read spellings: corrected, then by alias, then with what the tag implies.

    `aliases` lead to a name that is no alias itself; `implications` name all tags that follow,
    those of those too.
    """
    named = pl.DataFrame({"said": spellings}).with_row_index("spelling")
    read = named.with_columns(tag=spelled(pl.col("said")).replace(aliases)).filter(
        pl.col("tag") != ""
    )
    follows = pl.DataFrame(
        {"tag": list(implications), "implied": list(implications.values())},
        schema={"tag": pl.String, "implied": pl.List(pl.String)},
    ).explode("implied")
    further = read.join(follows, on="tag", how="inner").select("spelling", "said", tag="implied")
    readings = pl.concat(
        [read.with_columns(by=pl.lit(False)), further.with_columns(by=pl.lit(True))]
    ).sort("tag", pl.col("said") != pl.col("tag"), "by", "said")
    tags = readings["tag"].rle_id().to_numpy() if readings.height else np.zeros(0, np.uint32)
    by, of = readings["by"].to_numpy(), readings["spelling"].to_numpy()
    direct = np.full(len(spellings) + 1, NOTHING, np.uint32)  # a null has the number after the last
    direct[of[~by]] = np.flatnonzero(~by)
    implied = np.flatnonzero(by).astype(np.uint32)
    by_spelling = np.argsort(of[by], kind="stable")
    return Vocabulary(
        names=readings["tag"].unique(maintain_order=True).alias("tag"),
        tags=tags.astype(np.uint32),
        said=readings.select(pl.when(pl.col("said") != pl.col("tag")).then("said")).to_series(),
        direct=direct,
        implied=implied[by_spelling],
        offsets=offsets_of(np.bincount(of[by], minlength=len(direct))),
    )


def spelled(tag: pl.Expr) -> pl.Expr:
    """A tag as all sources' tags are spelt: lower case, underscores for blanks."""
    return tag.str.strip_chars().str.to_lowercase().str.replace_all(" ", "_", literal=True)
