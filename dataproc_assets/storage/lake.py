"""The lake: every stage of a project at its place, with what it was made from."""

import os
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from dataproc_assets.config.passes import part_fingerprint
from dataproc_assets.config.project import Project
from dataproc_assets.storage import layout
from dataproc_assets.storage.crawl import listing_digest
from dataproc_assets.storage.crawl_listing import Listing, crawl_listing
from dataproc_assets.storage.digest import bytes_digest, frame_digest, json_digest
from dataproc_assets.storage.events import Taken, take_events
from dataproc_assets.storage.followed import Followed, forget_listing
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.queue import Queue
from dataproc_assets.storage.scored import done_rows
from dataproc_assets.storage.stages import (
    Partition,
    Stage,
    config_digest,
    partitions,
    stage_inputs,
    stages,
)
from dataproc_assets.storage.tables import (
    TableInfo,
    TableWriter,
    forget_inputs,
    present_table,
    read_part,
    read_table,
    table_info,
    write_table,
)
from dataproc_assets.version import __version__

COMPANIONS = {
    "inventory": ("rejected_files",),
    "records": ("rejects",),
    "dedup_cross": ("members",),
}
EMPTY_PART = pl.Schema(
    {
        "image_key": pl.String,
        "version": pl.String,
        "status": pl.String,
        "error": pl.String,
        "part": pl.String,
    }
)


class Lake:
    """A project's tables, units and releases below its storage root."""

    def __init__(self, project: Project) -> None:
        self.project = project
        if project.profile.s3 is not None:
            # in the environment, where workers and every library that speaks S3 find it
            os.environ.update(project.profile.s3.variables())

    @cached_property
    def store(self) -> ObjectStore:
        """The storage root."""
        return open_store(resolve(self.project.profile.storage.root))

    @cached_property
    def bucket(self) -> ObjectStore:
        """The root of the crawls."""
        return open_store(resolve(self.project.profile.crawl.root))

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """The project's stages by name, in flow order."""
        return stages(self.project)

    def fingerprint(self, metric: str) -> str:
        """What names the folder of a metric's parts."""
        return part_fingerprint(self.project.metrics[metric], self.project.profile.decode)

    def path(self, table: str, partition: str | None = None) -> str:
        """Where a stage table lies, below the storage root."""
        return layout.stage_path(table, partition)

    def read(self, table: str, partition: str | None = None) -> pl.LazyFrame:
        """A stage table's rows, verified. Raises FileNotFoundError, ChangedFileError."""
        return read_table(self.store, layout.stage_path(table, partition))

    def read_buckets(self, table: str, partition: str | None = None) -> Iterator[pl.LazyFrame]:
        """A stage table's rows, verified, a bucket at a time; a key is in one of them alone."""
        path = layout.stage_path(table, partition)
        info = present_table(self.store, path)
        count = len(info.buckets)
        return (read_part(self.store, path, count, bucket, info) for bucket in range(count))

    def load(self, table: str, **keys: str | None) -> pl.LazyFrame:
        """A table for a person: its name and, by `source` or `recipe`, its partition.

        Raises ValueError, naming what there is, where the name or the partition is wrong.
        """
        owners = {other: stage for stage, others in COMPANIONS.items() for other in others}
        tables = [name for name in self.stages if name not in ("release", "latents")]
        if table not in (*tables, *owners):
            raise ValueError(f"no table {table!r}; there are {', '.join([*tables, *owners])}")
        by = self._by(owners.get(table, table))
        given = {name: key for name, key in keys.items() if key is not None}
        if set(given) != ({by} if by else set()):
            wanted = f"{by}=..., one of {', '.join(self._keys(by))}" if by else "no partition"
            raise ValueError(f"the table {table!r} takes {wanted}")
        partition = given[by] if by else None
        if partition not in partitions(self.project, by):
            known = ", ".join(self._keys(by))
            raise ValueError(f"no {by} {partition!r}; there are {known}")
        return self.read(table, partition)

    def read_all(self, table: str) -> pl.LazyFrame:
        """A source-partitioned table's rows of all sources, in the sources' order."""
        return pl.concat([self.read(table, source) for source in sorted(self.project.sources)])

    def info(self, table: str, partition: str | None = None) -> TableInfo | None:
        """A stage table's manifest; None where it was never made."""
        return table_info(self.store, layout.stage_path(table, partition))

    def write(
        self,
        stage: str,
        partition: str | None,
        frame: pl.DataFrame | pl.LazyFrame,
        *,
        key: str | list[str] = "image_key",
        table: str | None = None,
        inputs: dict[str, str] | None = None,
    ) -> TableInfo:
        """Write a stage's table, or its companion `table`, recording what it was made from.

        `inputs` are the states as they were when the stage began to read.
        """
        return write_table(
            self.store,
            layout.stage_path(table or stage, partition),
            frame,
            key=key,
            buckets=self.project.profile.storage.table_buckets,
            inputs=inputs if inputs is not None else self.inputs(stage, partition),
            code_version=self.code_version(stage, partition),
        )

    def writer(self, stage: str, partition: str | None, key: str = "image_key") -> TableWriter:
        """Writes a stage's table part by part, where `write` would have to hold all of it."""
        buckets = self.project.profile.storage.table_buckets
        path = layout.stage_path(stage, partition)
        return TableWriter(self.store, path, key=key, buckets=buckets)

    def distrust(self, stage: str, partition: str | None) -> None:
        """Make a stage's table stale: it can be looked at, and the next run makes it again."""
        forget_inputs(self.store, layout.stage_path(stage, partition))

    def code_version(self, stage: str, partition: str | None) -> str:
        """The code's version and the digest of the configuration this partition reads."""
        return f"{__version__}+{config_digest(self.project, stage, partition)[:12]}"

    def state(self, asset: str, partition: str | None) -> str:
        """What stands for an asset's content: a table's digest, a manifest's, or its parts'."""
        if asset in self.project.pass_metrics:
            return self.parts_state(asset, partition or "")
        if asset in ("release", "latents"):
            return self._manifest_state(asset, partition)
        info = self.info(asset, partition)
        if info is None:
            return ""
        others = [self.info(name, partition) for name in COMPANIONS.get(asset, ())]
        return json_digest([info.digest, *(other.digest if other else "" for other in others)])

    def inputs(self, stage: str, partition: str | None) -> dict[str, str]:
        """The present states of everything a stage reads, by `asset` or `asset/partition`."""
        states = self._outer_inputs(stage, partition or "")
        for name in stage_inputs(self.project, stage):
            by = "source" if name in self.project.pass_metrics else self._by(name)
            same = by is not None and by == self.stages[stage].by
            for key in [partition] if same else partitions(self.project, by):
                states[f"{name}/{key}" if key else name] = self.state(name, key)
        return states

    def _outer_inputs(self, stage: str, source: str) -> dict[str, str]:
        """The states of what is no asset: the crawl, the takedown ledger, the finished parts.

        The ledgers of identity and quarantine are left out: the stages that read them also fill
        them, with what they have found themselves.
        """
        if stage in ("inventory", "records"):
            return self._crawl_inputs(source)
        if stage == "todo":
            parts = {f"parts/{m}": self.parts_state(m, source) for m in self.project.pass_metrics}
            return {**parts, "takedown": frame_digest(read_ledger(self.store, "takedown"))}
        return {}

    def _crawl_inputs(self, source: str) -> dict[str, str]:
        """The crawl's state and, where events are added to a complete listing, which that is."""
        listing = self.crawl(source)
        return {"crawl": listing.digest, **({"listing": listing.base} if listing.base else {})}

    def crawl(self, source: str) -> Listing:
        """The objects of a source's crawl as they now are, from where the profile says.

        Where a queue is named, that is the last complete listing and the events that were taken
        from the queue since: nothing is listed.
        """
        if source in self.project.profile.crawl.queues:
            return self.followed(source).listing()
        return self._list(source)

    def followed(self, source: str) -> Followed:
        """A source's crawl as the events of its bucket tell it."""
        prefix = self.project.sources[source].crawl.prefix
        return Followed.now(self.store, source, self.bucket.url, prefix)

    def take_events(self, source: str) -> Taken:
        """Move what a source's queue holds into the lake, for all sources that share the queue.

        Raises ConnectionError where the queue cannot be reached.
        """
        queues, sources = self.project.profile.crawl.queues, self.project.sources
        mine = [name for name, queue in queues.items() if queue.url == queues[source].url]
        places = {name: self.bucket.uri(sources[name].crawl.prefix) for name in mine}
        return take_events(self.store, Queue(queues[source]), places)

    def list_if_due(self, source: str) -> None:
        """Make the complete listing that events add to, where one is due."""
        queue = self.project.profile.crawl.queues.get(source)
        if queue is None:
            forget_listing(self.store, source)
            return
        buckets = self.project.profile.storage.table_buckets
        self.followed(source).list_if_due(lambda: self._list(source), buckets, queue)

    def _list(self, source: str) -> Listing:
        config = self.project.sources[source]
        return crawl_listing(self.bucket, config, self.project.profile.crawl)

    def crawl_state(self, source: str) -> str:
        """A digest over where a source's crawl lies, its paths and versions, as they now are."""
        return self.crawl(source).digest

    def fresh(self, stage: str, partition: str | None) -> bool:
        """Whether a stage table was made from what its inputs and configuration now are.

        A release is immutable: it is fresh once it is published, and so are its latents.
        """
        if stage == "latents" and self.project.releases[partition or ""].latents is None:
            return True
        if stage in ("release", "latents"):
            return bool(self.state(stage, partition))
        info = self.info(stage, partition)
        return (
            info is not None
            and info.code_version == self.code_version(stage, partition)
            and info.inputs == self.inputs(stage, partition)
        )

    def parts_state(self, metric: str, source: str) -> str:
        """A digest over a metric's finished parts and their versions on storage.

        Names alone would not do: a part with rows to retry is written again under its name.
        """
        return listing_digest(self._parts(metric, source))

    def parts(self, metric: str, source: str) -> list[str]:
        """The finished parts of a metric at its present fingerprint, sorted."""
        return self._parts(metric, source)["path"].to_list()

    def read_parts(self, metric: str, source: str) -> pl.LazyFrame:
        """All finished rows of a metric at its present fingerprint, with their `part`."""
        frames = [
            pl.scan_parquet(BytesIO(self.store.get(path))).with_columns(part=pl.lit(path))
            for path in self.parts(metric, source)
        ]
        if not frames:
            return EMPTY_PART.to_frame().lazy()
        return pl.concat(frames)

    def done(self, metric: str, source: str) -> pl.LazyFrame:
        """`image_key` and `version` of what a metric has scored, or found that it cannot."""
        return done_rows(self.store, self.parts(metric, source)).unique()

    def seconds_per_image(self) -> dict[str, float]:
        """The YAML's estimate for each metric of the pass, in seconds of one worker."""
        return {name: m.seconds_per_image for name, m in self.project.pass_metrics.items()}

    def _parts(self, metric: str, source: str) -> pl.DataFrame:
        """The listing of a metric's finished parts: those with their done mark beside them."""
        listing = self.store.list(layout.parts_path(metric, self.fingerprint(metric), source))
        names = set(listing["path"])
        parts = [name for name in names if name.endswith(".parquet")]
        done = [name for name in parts if layout.done_path(name) in names]
        return listing.filter(pl.col("path").is_in(done))

    def _keys(self, by: Partition) -> list[str]:
        return [key for key in partitions(self.project, by) if key]

    def _by(self, asset: str) -> Any:
        return self.stages[asset].by

    def _manifest_state(self, asset: str, partition: str | None) -> str:
        folder = layout.release_path if asset == "release" else layout.latents_path
        try:
            return bytes_digest(self.store.get(f"{folder(partition or '')}/manifest.json"))
        except FileNotFoundError:
            return ""


def resolve(url: str) -> str:
    """A root as an absolute URL: a relative folder counts from DAGSTER_HOME."""
    if url.startswith("s3://"):
        return url
    home = Path(os.environ.get("DAGSTER_HOME") or Path.cwd())
    return str((home / url).absolute())
