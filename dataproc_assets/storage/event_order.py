"""Which of an object's events is the latest, and what events add to a listing.

Events arrive late, twice and in any order, so that what they add up to is a function of their
set. `covered` are events that were received before the last complete listing began: the listing
is at least as new as each of them. `fresh` are all others. Frames have EVENT_SCHEMA with `path` in
place of `uri`.
"""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Added:
    """What fresh events add to a listing.

    `puts` has `path`, `size`, `version`, `time`, one row a path, by path. `unordered` says that
    two versions of one object have no order: they lack sequencers, and their times are equal. Only
    a complete listing tells which of them is there.
    """

    puts: pl.DataFrame
    unordered: bool


def added(covered: pl.DataFrame, fresh: pl.DataFrame) -> Added:
    """The latest put of each object, where it is later than all that the listing covers."""
    once = fresh.unique().join(covered, on=covered.columns, how="anti", nulls_equal=True)
    width = pl.concat([covered, once])["sequencer"].str.len_bytes().max()
    before, after = (_latest(events, int(width or 0)) for events in (covered, once))  # type: ignore
    both = after.join(before, on="path", how="left", suffix="_old")
    ordered = pl.col("sequencer").is_not_null() & pl.col("sequencer_old").is_not_null()
    later = (
        pl.when(ordered)
        .then(pl.col("sequencer") > pl.col("sequencer_old"))
        .otherwise(pl.col("time") > pl.col("time_old"))
    )
    same = ~ordered & (pl.col("time") == pl.col("time_old"))
    unclear = pl.col("tied") | (same & (pl.col("version") != pl.col("version_old")))
    return Added(
        puts=both.filter(pl.col("time_old").is_null() | later)
        .select("path", "size", "version", "time")
        .sort("path"),
        unordered=bool(both.select(unclear.any()).item()),
    )


def add_puts(listing: pl.DataFrame, puts: pl.DataFrame) -> pl.DataFrame:
    """A listing with the puts of `added`, sorted by path, in the listing's columns.

    A put that is older than the object that was listed is left out. Times count in whole seconds,
    as those of S3's listings do.
    """
    second = pl.col("modified").dt.truncate("1s")
    new = puts.rename({"time": "modified"}).select(listing.columns).with_columns(second)
    listed = listing.select("path", listed=second)
    kept = new.join(listed, on="path", how="left").filter(
        pl.col("listed").is_null() | (second >= pl.col("listed"))
    )
    rest = listing.join(kept, on="path", how="anti")
    return pl.concat([rest, kept.select(listing.columns)]).sort("path")


def _latest(events: pl.DataFrame, width: int) -> pl.DataFrame:
    """The latest put of each path; `tied` where another version has as good a claim.

    Sequencers decide where all of a path's events have one, compared as S3 says: the shorter is
    padded with zeros on its right, here to `width`. Else times do.
    """
    sequenced = pl.col("sequencer").is_not_null().all().over("path")
    last = pl.col("time") == pl.col("time").max().over("path")
    puts = events.filter(pl.col("kind") == "put").with_columns(
        sequencer=pl.col("sequencer").str.pad_end(width, "0")
    )
    ranked = puts.with_columns(
        rank=pl.when(sequenced).then(pl.col("sequencer")),
        tied=~sequenced & last & (pl.col("version").filter(last).n_unique().over("path") > 1),
    )
    order = ["path", "rank", "time", "sequencer", "version"]
    return (
        ranked.sort(order, nulls_last=False)
        .unique("path", keep="last", maintain_order=True)
        .drop("rank")
    )
