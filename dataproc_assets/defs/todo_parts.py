"""What `todo` decides of a source, a part of its keys at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dataproc_assets.storage import layout
from dataproc_assets.storage.ahead import ahead
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.scored import done_rows, unit_batches
from dataproc_assets.storage.spill import Spill, open_parts, part_count
from dataproc_assets.storage.tables import present_table
from dataproc_assets.transforms.eligibility import eligibility
from dataproc_assets.transforms.intake import add_intake_columns, best_of_parts
from dataproc_assets.transforms.pending import eligible_images, lacking, score_marks
from dataproc_assets.transforms.rules import apply_rules, rule_columns

SPILLS = 4  # side by side in memory at most: inventory, records, marks, what is pending


@dataclass(frozen=True)
class TodoParts:
    """A source's inventory, records and finished parts, by the hash of the image's key.

    Attributes:
        count: how many parts there are; it divides the number of buckets of the stage tables.
        best: the best of all artists, where a rule asks for it and there is more than one part.
        marks: what is scored, as `score_marks` gives it.
        spill_mb: what of each kind of rows may be held in memory.
    """

    lake: Lake
    source: str
    count: int
    images: Callable[[int], pl.LazyFrame]
    records: Callable[[int], pl.LazyFrame]
    best: pl.LazyFrame | None
    marks: Spill
    spill_mb: int

    def judge(self, part: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Who of a part may be scored, and those who may be and lack a metric; both by key.

        A part can be judged once: what its images were scored by is let go then.
        """
        config, as_of = self.lake.project.sources[self.source], self.lake.project.curation.as_of
        images = self.images(part)
        known = add_intake_columns(self.records(part), as_of, config.ai_tags, self.best)
        judged = apply_rules(known, config.prefilter)
        eligible = eligibility(images, judged).collect()
        chosen = eligible_images(eligible.lazy(), images).collect()
        metrics = sorted(self.lake.project.pass_metrics)
        return eligible, lacking(chosen, self.marks.take(part), metrics)


def open_todo(lake: Lake, source: str, folder: Path) -> TodoParts:
    """Read what has to be known before the first part is judged.

    With one bucket a table there is one part, which is held; with more, what does not fit the
    profile's memory goes below `folder`.
    """
    storage = lake.project.profile.storage
    spill_mb = storage.memory_mb // SPILLS
    paths = {name: layout.stage_path(name, source) for name in ("inventory", "records")}
    rows = max(present_table(lake.store, path).rows for path in paths.values())
    count = part_count(rows, storage.table_buckets)
    images, records = (
        open_parts(lake.store, path, count, folder / name, spill_mb) for name, path in paths.items()
    )
    asks = "artist_best_favourites" in rule_columns(lake.project.sources[source].prefilter)
    best = best_of_parts(records(part) for part in range(count)) if asks and count > 1 else None
    return TodoParts(
        lake=lake,
        source=source,
        count=count,
        images=images,
        records=records,
        best=None if best is None else best.lazy(),
        marks=_marks(lake, source, Spill(folder / "marks", count, spill_mb)),
        spill_mb=spill_mb,
    )


def _marks(lake: Lake, source: str, spill: Spill) -> Spill:
    """Fill a spill with what the metrics of the pass have done."""
    parts = {metric: lake.parts.paths(metric, source) for metric in lake.project.pass_metrics}

    def read(batch: dict[str, list[str]]) -> pl.DataFrame:
        done = (done_rows(lake.store, paths).collect() for paths in batch.values())
        return score_marks(dict(zip(batch, done, strict=True)))

    spill.add(score_marks({}))
    for marks in ahead(read, unit_batches(parts, lake.project.profile.storage.unit_images)):
        spill.add(marks)
    return spill
