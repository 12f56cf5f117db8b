"""The lake: every stage of a project at its place, with what it was made from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from dataproc_assets.config.project import Project
from dataproc_assets.storage import layout
from dataproc_assets.storage.crawls import Crawls
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.flow import config_digest, stage_inputs, stages
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.parts import Parts
from dataproc_assets.storage.published import published_manifest, published_state
from dataproc_assets.storage.stages import PUBLISHED, Stage, partitions
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
from dataproc_assets.storage.takedowns import takedown_state
from dataproc_assets.storage.withdrawn import withdrawals
from dataproc_assets.version import __version__

COMPANIONS = {
    "inventory": ("rejected_files",),
    "records": ("rejects",),
    "dedup_cross": ("members", "clusters", "borderline"),
}


@dataclass(frozen=True)
class MadeFrom:
    """The states of what something was made from, and the version of the code that made it."""

    inputs: dict[str, str]
    code_version: str


class Lake:
    """A project's tables, units and releases below its storage root, or in another `store`."""

    def __init__(self, project: Project, store: ObjectStore | None = None) -> None:
        self.project = project
        self._given = store
        if project.profile.s3 is not None:
            # in the environment, where workers and every library that speaks S3 find it
            os.environ.update(project.profile.s3.variables())

    @cached_property
    def store(self) -> ObjectStore:
        """The storage root."""
        return self._given or open_store(resolve(self.project.profile.storage.root))

    @cached_property
    def bucket(self) -> ObjectStore:
        """The root of the crawls."""
        return open_store(resolve(self.project.profile.crawl.root))

    @cached_property
    def crawls(self) -> Crawls:
        """The sources' crawls as they now are."""
        return Crawls(self.project, self.store, self.bucket)

    @cached_property
    def parts(self) -> Parts:
        """What the metric jobs have finished."""
        return Parts(self.project, self.store)

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """The project's stages by name, in flow order."""
        return stages(self.project)

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

    def writer(
        self, stage: str, partition: str | None, key: str | list[str] = "image_key"
    ) -> TableWriter:
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
            return self.parts.state(asset, partition or "")
        if asset in PUBLISHED:
            return published_state(self.store, asset, partition or "")
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
            return {**self.crawls.inputs(source), **takedown_state(self.store)}
        if stage == "todo":
            return {f"parts/{m}": self.parts.state(m, source) for m in self.project.pass_metrics}
        return takedown_state(self.store) if stage == "metrics_merged" else {}

    def fresh(self, stage: str, partition: str | None) -> bool:
        """Whether a stage table was made from what its inputs and configuration now are.

        A release is immutable: it is fresh once it is published, and so are its latents. What
        took the place of one that was withdrawn counts as that one.
        """
        if not self.asked(stage, partition):
            return True
        if stage in ("release", "latents"):
            return bool(self.state(stage, partition))
        made = self.made_from(stage, partition)
        return (
            made is not None
            and made.code_version == self.code_version(stage, partition)
            and made.inputs == self.inputs(stage, partition)
        )

    def asked(self, stage: str, partition: str | None) -> bool:
        """Whether a stage is wanted: of latents and denoiser, where the release's YAML has them.

        Of a release that was withdrawn, and that nothing took the place of, neither is.
        """
        if stage not in ("latents", "denoiser"):
            return True
        gone = withdrawals(self.store, partition or "")
        if gone and gone[-1].replaced_by is None:
            return False
        return getattr(self.project.releases[partition or ""], stage) is not None

    def made_from(self, stage: str, partition: str | None) -> "MadeFrom | None":
        """What a stage table, or a denoiser, was made from; None where there is none."""
        if stage != "denoiser":
            info = self.info(stage, partition)
            return MadeFrom(info.inputs, info.code_version) if info else None
        manifest = published_manifest(self.store, stage, partition or "")
        return MadeFrom(manifest["inputs"], manifest["code_version"]) if manifest else None

    def _by(self, asset: str) -> Any:
        return self.stages[asset].by


def resolve(url: str) -> str:
    """A root as an absolute URL: a relative folder counts from DAGSTER_HOME."""
    if url.startswith("s3://"):
        return url
    home = Path(os.environ.get("DAGSTER_HOME") or Path.cwd())
    return str((home / url).absolute())
