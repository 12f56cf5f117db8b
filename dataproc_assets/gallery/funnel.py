"""The funnel as a picture: where each bar and each part of it lies, in SVG units."""

from dataclasses import dataclass

import polars as pl

WIDTH = 960
ROW, BAR, TOP = 46, 18, 22  # pitch of the stages, height of a bar, its place in the pitch


@dataclass(frozen=True)
class Part:
    """One source's rows that a stage kept."""

    x: float
    width: float
    colour: int
    label: str


@dataclass(frozen=True)
class Bar:
    """One stage: a bar as long as its rows, filled from the left by what it kept."""

    stage: str
    y: int
    width: float
    rows: int
    kept: int
    parts: list[Part]


@dataclass(frozen=True)
class Funnel:
    """All bars on one scale, and the size of the picture."""

    width: int
    height: int
    bars: list[Bar]


def draw_funnel(funnel: pl.DataFrame, sources: list[str]) -> Funnel:
    """The picture of a table `stage, source, rows, kept`, stages in the table's order.

    A source that is null or not among `sources` has the colour after the last.
    """
    stages = funnel["stage"].unique(maintain_order=True).to_list()
    totals = funnel.group_by("stage").agg(pl.col("rows", "kept").sum())
    sums = {stage: (rows, kept) for stage, rows, kept in totals.iter_rows()}
    largest = max([rows for rows, _ in sums.values()], default=0)
    scale = WIDTH / largest if largest else 0.0
    order = [*sources, None]
    known = pl.when(pl.col("source").is_in(sources)).then("source")
    bars = []
    for index, stage in enumerate(stages):
        rows, kept = sums[stage]
        own = funnel.filter(pl.col("stage") == stage)
        by_source = dict(own.group_by(known).agg(pl.col("kept").sum()).iter_rows())
        parts, x = [], 0.0
        for colour, source in enumerate(order):
            width = by_source.get(source, 0) * scale
            if width > 0:
                label = f"{source or 'all sources'}: {by_source[source]:,} kept"
                parts.append(Part(round(x, 2), round(width, 2), colour, label))
            x += width
        bars.append(Bar(stage, index * ROW + TOP, round(rows * scale, 2), rows, kept, parts))
    return Funnel(WIDTH, len(stages) * ROW, bars)
