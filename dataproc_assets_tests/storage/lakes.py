"""Lakes of the shipped project below a folder of their own, filled with small tables."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl

from dataproc_assets.config.project import Project, load_project
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import COMPANIONS, Lake
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.stages import partitions

ASSETS_WITH_MANIFESTS = ("release", "latents")


def project_in(root: str, crawl: Path | str) -> Project:
    """The shipped project with its storage at `root` and its crawls in `crawl`."""
    project, url = load_project(profile="local"), str(crawl)
    storage = project.profile.storage.model_copy(update={"root": root})
    below = project.profile.crawl.model_copy(update={"root": url})
    profile = project.profile.model_copy(update={"storage": storage, "crawl": below})
    return replace(project, profile=profile)


def make(lake: Lake, stage: str, partition: str | None, content: int = 0) -> None:
    """Make one stage, with rows that say `content`."""
    rows = pl.DataFrame({"image_key": [f"{stage}/{partition}"], "content": [content]})
    if stage in ASSETS_WITH_MANIFESTS:
        folder = layout.release_path if stage == "release" else layout.latents_path
        path, told = f"{folder(partition or '')}/manifest.json", {"content": content, "files": {}}
        lake.store.put(path, json.dumps(told).encode())
        return
    inputs = lake.inputs(stage, partition)
    if stage == "denoiser":
        made = {"inputs": inputs, "code_version": lake.code_version(stage, partition)}
        path = f"{layout.denoiser_path(partition or '')}/manifest.json"
        lake.store.put(path, json.dumps({**made, "content": content, "files": {}}).encode())
        return
    for table in COMPANIONS.get(stage, ()):
        lake.write(stage, partition, rows, table=table, inputs=inputs)
    lake.write(stage, partition, rows, inputs=inputs)


def stale(lake: Lake) -> set[tuple[str, str | None]]:
    """The stages, with their partitions, that are not fresh."""
    everything = [(name, key) for name in lake.stages for key in _keys(lake, name)]
    return {(name, key) for name, key in everything if not lake.fresh(name, key)}


def remake(lake: Lake, content: int) -> list[tuple[str, str | None]]:
    """Make what is stale in flow order; returns what that was."""
    made = []
    for name in lake.stages:
        for key in _keys(lake, name):
            if not lake.fresh(name, key):
                make(lake, name, key, content)
                made.append((name, key))
    return made


def put_part(lake: Lake, metric: str, source: str, unit: str, rows: pl.DataFrame) -> None:
    """A finished part."""
    path = layout.part_path(metric, lake.parts.fingerprint(metric), source, unit)
    lake.store.put(path, to_parquet(rows))
    lake.store.put(layout.done_path(path), b"{}")


def part_rows(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Rows of a part: key, version, status."""
    return pl.DataFrame(
        [(key, version, status, None) for key, version, status in rows],
        schema={
            "image_key": pl.String,
            "version": pl.String,
            "status": pl.String,
            "error": pl.String,
        },
        orient="row",
    )


def _keys(lake: Lake, stage: str) -> list[str | None]:
    return partitions(lake.project, lake.stages[stage].by)
