"""The cheap stages with a changed setting, over tables that stay as they are."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.config.override import overridden
from dataproc_assets.config.project import Project
from dataproc_assets.defs.curation import augmented, dedup_intra, prefiltered
from dataproc_assets.defs.gallery import gallery_tables
from dataproc_assets.defs.images import dedup_cross, images
from dataproc_assets.defs.prompts import prompts
from dataproc_assets.defs.sanitized import sanitized
from dataproc_assets.gallery.tables import GalleryTables
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.overlay import Overlay
from dataproc_assets.storage.stages import partitions
from dataproc_assets.what_if.fates import Fates, fates

STAGES: dict[str, Callable[..., Any]] = {
    "prefiltered": prefiltered,
    "augmented": augmented,
    "dedup_intra": dedup_intra,
    "dedup_cross": dedup_cross,
    "images": images,
    "prompts": prompts,
    "sanitized": sanitized,
}
"""What is made again: all that no model and no crawl is needed for."""


class StaleTables(Exception):  # noqa: N818
    """The tables are not what the configuration gives now; the message says which of them."""


@dataclass(frozen=True)
class Outcome:
    """What some settings would give.

    `made` are the stages that they change, in flow order; `without` counts the images that a
    metric that runs late has not seen, since they stand for a cluster only now. `tables` are what
    a gallery would show, where pictures were asked for.
    """

    settings: tuple[str, ...]
    made: list[str]
    fates: Fates
    without: dict[str, int]
    tables: GalleryTables | None


def outcomes(
    lake: Lake, settings: Sequence[str], say: Callable[[str], None], *, pictures: bool = False
) -> list[Outcome]:
    """What each setting would give, and, of several, last what all of them would together.

    Args:
        settings: as `overridden` takes them.
        say: takes a line for the person who waits.
        pictures: whether to keep the gallery's tables of each outcome, to draw from.

    Raises:
        OverrideError: there is no such setting; nothing was made.
        StaleTables: the tables that are there are older than the configuration.
    """
    asked: list[tuple[str, ...]] = [(setting,) for setting in settings]
    if len(settings) > 1:
        asked.append(tuple(settings))
    projects = [_with(lake.project, some) for some in asked]
    _must_be_fresh(lake)
    found = []
    for some, project in zip(asked, projects, strict=True):
        with over(lake, project) as changed:
            say(f"{' '.join(some)} …")
            made = make(changed)
            tables = gallery_tables(changed) if pictures else None
            found.append(Outcome(some, made, fates(changed), _without(changed), tables))
    return found


@contextmanager
def over(lake: Lake, project: Project) -> Iterator[Lake]:
    """A lake of another project over the tables of this one, which it cannot change."""
    with TemporaryDirectory(prefix="what-if-") as folder:
        yield Lake(project, Overlay(lake.store, ObjectStore(str(Path(folder) / "store"))))


def _with(project: Project, settings: Sequence[str]) -> Project:
    for setting in settings:
        project = overridden(project, setting)
    return project


def _must_be_fresh(lake: Lake) -> None:
    for stage in STAGES:
        for key in partitions(lake.project, lake.stages[stage].by):
            if not lake.fresh(stage, key):
                name = f"{stage} of {key}" if key else stage
                raise StaleTables(
                    f"{name} is not what the configuration and the crawl give now, so there is "
                    "nothing to compare with: `dataproc run` first"
                )


def make(lake: Lake) -> list[str]:
    """Make what the changed configuration makes stale; returns the stages."""
    made: list[str] = []
    for stage, body in STAGES.items():
        by = lake.stages[stage].by
        due = [key for key in partitions(lake.project, by) if not lake.fresh(stage, key)]
        if due:
            made.append(stage)
        for key in due:
            with dg.build_asset_context() as context, _quiet():
                body(context, lake, key) if by else body(context, lake)
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the stages say of themselves: it is told of a run, and this is none."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _without(lake: Lake) -> dict[str, int]:
    """By metric that runs late, the representatives that it has not seen."""
    standing = lake.read("members").filter(pl.col("role") == "representative").select("image_key")
    counts = {
        name: standing.join(lake.read(name), on="image_key", how="anti")
        for name in lake.project.late_metrics
    }
    found = {name: rows.select(pl.len()).collect().item() for name, rows in counts.items()}
    return {name: count for name, count in found.items() if count}
