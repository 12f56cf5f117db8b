"""What changed between two states of a stage table: rows, columns, values, and made of what."""

from dataclasses import dataclass

import polars as pl

from dataproc_assets.diff.states import TableState
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.takedowns import read_takedowns

MOVES = 12  # of one column, at most
PLAIN = (pl.String, pl.Boolean, pl.Date)  # types whose values are told
LONGEST = 60  # characters of a value that is told
TAKEN, NEW, GONE = "takedown", "new data", "gone from the data"


@dataclass(frozen=True)
class TableDifference:
    """Two states of a table.

    Attributes:
        one, other: the states.
        made_of: what they were made of that differs: its name, and its two digests.
        added, removed: the keys (the table's key columns) with `reason`.
        changed: the keys with `columns`, the names of those whose values differ.
        moves: `column`, `one`, `other`, `rows`: how often a value became another.
        columns_added, columns_removed: names.
    """

    one: TableState
    other: TableState
    made_of: list[tuple[str, str, str]]
    added: pl.DataFrame
    removed: pl.DataFrame
    changed: pl.DataFrame
    moves: pl.DataFrame
    columns_added: list[str]
    columns_removed: list[str]


def compare_tables(lake: Lake, one: TableState, other: TableState) -> TableDifference:
    """Compare two states by their keys; buckets that are equal are not read.

    Raises:
        ChangedFileError: a file is not as it was written.
        ValueError: they are tables of different keys.
    """
    key = other.info.key
    if one.info.key != key:
        raise ValueError(
            f"{one.asked} and {other.asked} have different keys: {one.info.key}, {key}"
        )
    left, right = _rows(one, other)
    both = [name for name in right.columns if name in left.columns and name not in key]
    added = right.join(left, on=key, how="anti", nulls_equal=True).select(key)
    removed = left.join(right, on=key, how="anti", nulls_equal=True).select(key)
    same = left.join(right, on=key, suffix="__other", nulls_equal=True).sort(key)
    differs = {name: _differs(same[name], same[f"{name}__other"]) for name in both}
    found = [pl.when(mask).then(pl.lit(name)) for name, mask in differs.items()]
    names = pl.concat_list(found).list.drop_nulls() if found else pl.lit([], pl.List(pl.String))
    changed = same.select(*key, columns=names).filter(pl.col("columns").list.len() > 0)
    return TableDifference(
        one=one,
        other=other,
        made_of=_made_of(one, other),
        added=added.sort(key).with_columns(reason=pl.lit(NEW)),
        removed=_with_reason(lake, removed.sort(key)),
        changed=changed,
        moves=_moves(same, differs),
        columns_added=[name for name in other.info.columns if name not in one.info.columns],
        columns_removed=[name for name in one.info.columns if name not in other.info.columns],
    )


def _rows(one: TableState, other: TableState) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of the buckets that differ; of all where their number does."""
    pairs = list(zip(one.info.buckets, other.info.buckets, strict=False))
    if len(one.info.buckets) == len(other.info.buckets):
        due = [n for n, (a, b) in enumerate(pairs) if a.digest != b.digest] or [0]
        return one.read(due), other.read(due)
    return tuple(s.read(list(range(len(s.info.buckets)))) for s in (one, other))  # type: ignore


def _differs(left: pl.Series, right: pl.Series) -> pl.Series:
    if left.dtype != right.dtype:
        return pl.Series([True] * len(left), dtype=pl.Boolean)
    return left.ne_missing(right)


def _moves(same: pl.DataFrame, differs: dict[str, pl.Series]) -> pl.DataFrame:
    """Of columns with plain values, how often which value became which other."""
    schema = {"column": pl.String, "one": pl.String, "other": pl.String, "rows": pl.UInt32}
    found = [pl.DataFrame(schema=schema)]
    for name, mask in differs.items():
        if same.schema[name] not in PLAIN or not mask.any():
            continue
        text = (pl.col(c).cast(pl.String).str.slice(0, LONGEST) for c in (name, f"{name}__other"))
        pairs = same.filter(mask).select(
            *(t.alias(n) for t, n in zip(text, ("one", "other"), strict=True))
        )
        counts = pairs.group_by("one", "other").agg(rows=pl.len())
        most = counts.sort("rows", "one", "other", descending=[True, False, False]).head(MOVES)
        found.append(most.select(column=pl.lit(name), one="one", other="other", rows="rows"))
    return pl.concat(found)


def _made_of(one: TableState, other: TableState) -> list[tuple[str, str, str]]:
    a, b = one.info, other.info
    names = sorted(a.inputs.keys() | b.inputs.keys())
    found = [(name, a.inputs.get(name, ""), b.inputs.get(name, "")) for name in names]
    code = [part.partition("+") for part in (a.code_version, b.code_version)]
    found += [("code", code[0][0], code[1][0]), ("configuration", code[0][2], code[1][2])]
    return [(name, before, after) for name, before, after in found if before != after]


def _with_reason(lake: Lake, removed: pl.DataFrame) -> pl.DataFrame:
    entries = read_takedowns(lake.store)
    keys = entries.filter(pl.col("kind") == "key")["value"]
    posts = entries.filter(pl.col("kind") == "post")["value"]
    name = next((n for n in ("image_key", "representative") if n in removed.columns), None)
    if name is None:
        return removed.with_columns(reason=pl.lit(GONE))
    post = pl.col(name).str.replace(r"_[^/]*$", "")
    taken = pl.col(name).is_in(keys.implode()) | post.is_in(posts.implode())
    return removed.with_columns(reason=pl.when(taken).then(pl.lit(TAKEN)).otherwise(pl.lit(GONE)))
