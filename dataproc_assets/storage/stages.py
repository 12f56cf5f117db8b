"""The stages in flow order: what each is, what it is made of, which configuration it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dataproc_assets.config.project import Project
from dataproc_assets.storage import reads

PASS_METRICS = "<pass metrics>"
KEPT_METRICS = "<kept metrics>"
LATE_METRICS = "<late metrics>"
COMPARED = "<compared metrics>"

GATES = ("sanitized",)
"""Stages whose failed checks hold back the releases that read them, and nothing else."""

PUBLISHED = ("release", "latents", "denoiser")
"""Stages that are no tables: files below a manifest of their own."""

Partition = Literal["source", "recipe", "release"] | None


@dataclass(frozen=True)
class Stage:
    """One stage of the way of an image.

    Attributes:
        name: the asset's and the table's name.
        group: the asset group.
        by: what it is partitioned by; None for one table over all.
        inputs: the stages it reads; PASS_METRICS, KEPT_METRICS and LATE_METRICS stand for the
            assets of the metrics that run on todo, on prefiltered and on representatives,
            COMPARED for those of the metrics whose embeddings and thumbnails the search compares.
        reads: the part of the configuration it reads, for one partition.
        kinds: what it is made with, for the asset graph.
        description: what it is, for a person.
    """

    name: str
    group: str
    by: Partition
    inputs: tuple[str, ...]
    reads: Callable[[Project, str | None], Any]
    kinds: frozenset[str]
    description: str


POLARS = frozenset({"polars", "parquet"})

STAGES = (
    Stage(
        "inventory",
        "intake",
        "source",
        (),
        reads.inventory,
        frozenset({"s3", "parquet"}),
        "Every image on the bucket, one row an address, with a content version.",
    ),
    Stage(
        "records",
        "intake",
        "source",
        ("inventory",),
        reads.records,
        frozenset({"s3", "json", "parquet"}),
        "The crawler's metadata in common columns; what cannot be read goes to `rejects`.",
    ),
    Stage(
        "todo",
        "intake",
        "source",
        ("inventory", "records"),
        reads.todo,
        POLARS,
        "What the metric pass still has to score: eligible images minus the metric parts "
        "on storage, in unit files. Also keeps each key's reason where it is not eligible.",
    ),
    Stage(
        "metrics_merged",
        "metrics",
        "source",
        ("inventory", "todo", PASS_METRICS),
        reads.fingerprints,
        POLARS,
        "All parts of all metrics, one row an image; embeddings and thumbnails stay in the parts.",
    ),
    Stage(
        "merged",
        "metadata",
        "source",
        ("todo", "records", "metrics_merged"),
        reads.merged,
        POLARS,
        "Records and metrics in the source's namespace, by the source's merger.",
    ),
    Stage(
        "prefiltered",
        "curation",
        "source",
        ("merged",),
        lambda p, _: p.curation.prefilter,
        POLARS,
        "Adds `keep` and `drop_reason` by the YAML's rules; drops no row.",
    ),
    Stage(
        "augmented",
        "curation",
        "source",
        ("prefiltered", KEPT_METRICS),
        lambda p, _: {"augment": p.curation.augment, "as_of": p.curation.as_of},
        POLARS,
        "Adds pixels, aspect, bucket, year, period and quality tier, and the metrics of what "
        "the prefilter kept.",
    ),
    Stage(
        "dedup_intra",
        "curation",
        "source",
        ("inventory", "records", "augmented", COMPARED),
        reads.dedup,
        frozenset({"numpy", "parquet"}),
        "Near-duplicate edges within the source, each with its evidence.",
    ),
    Stage(
        "dedup_cross",
        "curation",
        None,
        ("dedup_intra", "inventory", "records", "augmented", COMPARED),
        reads.dedup,
        frozenset({"numpy", "parquet"}),
        "Edges over all members of all sources; `members` with one `image_id` an image.",
    ),
    Stage(
        "images",
        "curation",
        None,
        ("dedup_cross", "augmented", LATE_METRICS),
        reads.merging,
        POLARS,
        "One row an image: fields merged by trust, with provenance.",
    ),
    Stage(
        "prompts",
        "curation",
        "recipe",
        ("images",),
        reads.prompts,
        POLARS,
        "Caption and tags in the recipe's order and token budget, the certain first.",
    ),
    Stage(
        "sanitized",
        "curation",
        "recipe",
        ("prompts", "images", "dedup_cross", "augmented", LATE_METRICS),
        lambda p, _: p.safety,
        POLARS,
        "What may be released; hosts the blocking checks.",
    ),
    Stage(
        "release",
        "release",
        "release",
        ("sanitized", "images", "dedup_cross", "augmented", LATE_METRICS, "inventory"),
        reads.release,
        frozenset({"webdataset", "parquet"}),
        "An immutable dataset: parquet, WebDataset tars, trainers' formats, card, manifest.",
    ),
    Stage(
        "latents",
        "release",
        "release",
        ("release",),
        lambda p, n: p.releases[n or ""].latents,
        frozenset({"pytorch", "webdataset"}),
        "VAE latents of the release in WebDataset shards, with a manifest of their own.",
    ),
    Stage(
        "denoiser",
        "release",
        "release",
        ("release", "latents", "dedup_cross"),
        reads.denoiser,
        frozenset({"pytorch"}),
        "A small model trained on the latents: whether the prompts are theirs.",
    ),
    Stage(
        "gallery",
        "curation",
        None,
        (
            *("inventory", "augmented", "dedup_cross", LATE_METRICS, "images"),
            *("sanitized", "release", "latents", "denoiser"),
        ),
        reads.gallery,
        frozenset({"html"}),
        "The pictures: funnel, drops, clusters, tiers. Never a quarantined image.",
    ),
)


def partitions(project: Project, by: Partition) -> list[str | None]:
    """The partition keys of a stage, sorted; [None] where it has none."""
    named = {"source": project.sources, "recipe": project.recipes, "release": project.releases}
    return [None] if by is None else sorted(named[by])
