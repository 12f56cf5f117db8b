"""Whatever happens to a bucket and to the passes over it, each image is scored exactly once."""

from collections.abc import Callable
from typing import Any

import polars as pl
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dataproc_assets.storage.crawl import FILE_SCHEMA
from dataproc_assets.storage.key_parts import split
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets.storage.units import cut_units
from dataproc_assets.transforms.inventory import hold_removals, inventory_rows
from dataproc_assets.transforms.pending import eligible_images, lacking, score_marks

METRICS = ["clip", "pixels"]
NUMBERS = st.integers(0, 5)
VERSIONS = st.sampled_from(["5-1", "5-2", "6-1"])
WHAT = ["image_key", "version", "metrics"]
KEY = pl.format("x/{}", pl.col("name").str.extract(r"^([0-9]+)\."))
DONE = pl.Schema({"image_key": pl.String, "version": pl.String, "status": pl.String})


class History(RuleBasedStateMachine):
    """A bucket, the inventory of it, the parts of its passes, and what these have done."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket: dict[int, str] = {}
        self.tars = 1
        self.dropped: set[int] = set()
        self.parts: dict[str, dict[str, pl.DataFrame]] = {}
        self.done: set[tuple[str, str, str]] = set()
        self.inventory = hold_removals(
            inventory_rows(FILE_SCHEMA.to_frame(), KEY)[0], None, 1.0
        ).rows

    @rule(images=st.dictionaries(NUMBERS, VERSIONS, max_size=4))
    def drop(self, images: dict[int, str]) -> None:
        """New images, old ones again, and others in the place of old ones."""
        self.bucket |= images

    @rule(numbers=st.sets(NUMBERS, max_size=2))
    def remove(self, numbers: set[int]) -> None:
        self.bucket = {n: v for n, v in self.bucket.items() if n not in numbers}

    @rule(numbers=st.sets(NUMBERS))
    def judge(self, numbers: set[int]) -> None:
        """Other rules, or late records: who may be scored."""
        self.dropped = numbers

    @rule(draw=st.randoms(use_true_random=False))
    def look(self, draw: Any) -> None:
        """A complete listing: the inventory is what is there, in whatever order it was told."""
        self._list(list(self.bucket), draw, complete=True)
        found = self.inventory.select("image_key", "version").rows()
        assert found == [(f"x/{n}", v) for n, v in sorted(self.bucket.items())]

    @rule(seen=st.sets(NUMBERS), draw=st.randoms(use_true_random=False))
    def look_in_part(self, seen: set[int], draw: Any) -> None:
        """A partial listing adds and updates, and removes nothing."""
        before = set(self.inventory["image_key"])
        there = seen & set(self.bucket)
        self._list(list(there), draw, complete=False)
        assert set(self.inventory["image_key"]) == before | {f"x/{n}" for n in there}
        versions = dict(self.inventory.select("image_key", "version").iter_rows())
        assert all(versions[f"x/{n}"] == self.bucket[n] for n in there)

    @rule(tars=st.integers(1, 3), draw=st.randoms(use_true_random=False))
    def repack(self, tars: int, draw: Any) -> None:
        """The same images in other tars, at other places in them: nothing more to score."""
        self.look(draw)
        before = self._todo(1)
        self.tars += tars
        self.look(draw)
        assert self._todo(1).select(WHAT).equals(before.select(WHAT))

    @rule(
        asked=st.sets(st.sampled_from(METRICS), min_size=1),
        chosen=st.sets(st.integers(0, 3)),
        parts=st.sampled_from([1, 3]),
        size=st.integers(1, 3),
        data=st.data(),
    )
    def score(
        self, asked: set[str], chosen: set[int], parts: int, size: int, data: st.DataObject
    ) -> None:
        """A pass that gets to some of the units, for some metrics, each row with its end."""
        ends = st.sampled_from(["ok", "failed", "retry"])
        for number, (name, unit) in enumerate(cut_units([self._todo(parts)], size)):
            for metric in sorted(asked) if number in chosen else ():
                self._score(name, from_parquet(unit), metric, lambda: data.draw(ends))

    @invariant()
    def nothing_is_lost(self) -> None:
        """What is known, eligible and not done is handed out, and nothing else is."""
        rows = self._todo(3)
        found = {(k, v, m) for k, v, metrics in rows.select(WHAT).iter_rows() for m in metrics}
        assert found == self._eligible() - self.done

    def teardown(self) -> None:
        """A pass that reaches everything leaves nothing."""
        for name, data in cut_units([self._todo(1)], 2):
            for metric in METRICS:
                self._score(name, from_parquet(data), metric, lambda: "ok")
        assert self._todo(1).is_empty()
        assert self._eligible() <= self.done

    def _list(self, numbers: list[int], draw: Any, complete: bool) -> None:
        draw.shuffle(numbers)
        files = [
            (f"{n}.webp", f"/{(n + self.tars) % 3}.tar", 512 * self.tars * n, 5, 5, version, None)
            for n, version in ((n, self.bucket[n]) for n in numbers)
        ]
        rows, _ = inventory_rows(pl.DataFrame(files, schema=FILE_SCHEMA, orient="row"), KEY)
        self.inventory = hold_removals(rows, self.inventory, 1.0, complete=complete).rows

    def _eligible(self) -> set[tuple[str, str, str]]:
        known = self.inventory.select("image_key", "version").rows()
        dropped = {f"x/{n}" for n in self.dropped}
        return {(k, v, metric) for k, v in known if k not in dropped for metric in METRICS}

    def _todo(self, count: int) -> pl.DataFrame:
        """What is pending, found in so many parts of the keys."""
        dropped = pl.col("image_key").is_in([f"x/{n}" for n in self.dropped])
        eligible = self.inventory.select(
            "image_key", intake_drop=pl.when(dropped).then(pl.lit("small"))
        )
        images = eligible_images(eligible.lazy(), self.inventory.lazy()).collect()
        done = pl.col("status") != "retry"
        marks = pl.concat(
            score_marks({m: parts.get(m, DONE.to_frame()).filter(done) for m in METRICS})
            for parts in [*self.parts.values(), {}]
        )
        pieces = zip(
            split(images, "image_key", count), split(marks, "image_key", count), strict=True
        )
        return pl.concat(lacking(*piece, METRICS) for piece in pieces).sort("image_key")

    def _score(self, unit: str, rows: pl.DataFrame, metric: str, end: Callable[[], str]) -> None:
        """Write a metric's part of a unit, over the one that may be there."""
        asked = rows.filter(pl.col("metrics").list.contains(metric)).select("image_key", "version")
        ended = [(key, version, end()) for key, version in asked.iter_rows()]
        now = {(key, version, metric) for key, version, status in ended if status != "retry"}
        assert not now & self.done  # no row is done twice
        self.done |= now
        if ended:
            part = pl.DataFrame(ended, schema=DONE, orient="row")
            self.parts.setdefault(unit, {})[metric] = part


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
