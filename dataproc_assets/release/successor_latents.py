"""The latents of a release that took the place of another: the old ones of its images."""

from typing import Any

import polars as pl

from dataproc_assets.release.build import Build, publish_once
from dataproc_assets.release.latent_places import placed_anew
from dataproc_assets.release.latents import FORMAT
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.rows import read_tables
from dataproc_assets.release.shards import Say
from dataproc_assets.release.successor import copy_shards, touched, without
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.layout import latents_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet

TABLE = "latents.parquet"


def publish_successor_latents(
    store: ObjectStore, old: Manifest, release: Manifest, *, code_version: str, say: Say
) -> Manifest:
    """Publish the latents of those images that `release` has, in shards as its own are.

    They are what `publish_latents` would assemble of the parts, but for the borders of shards.

    Args:
        old: the latents of the release that `release` took the place of.

    Raises:
        ReleaseDamagedError: a shard that must be rewritten is not as it was published.
        ReleaseExistsError: there are other latents of that name.
    """
    table = from_parquet(store.get(f"{old.root}/{TABLE}"))
    released = set(read_tables(store, release)["image_id"])
    dropped = {*table["image_id"], *old.counts["failed"]} - released
    kept, names = without(table, dropped)
    digest = json_digest({"format": _format(old), "release": release.digest, "config": old.config})

    def fill(build: Build) -> Manifest:
        changed = touched(table, dropped)
        copy_shards(store, build, old, names, changed, dropped, say)
        rewritten = [new for path, new in names.items() if path in changed]
        rows = placed_anew(store, build.root, kept, rewritten)
        build.write(TABLE, to_parquet(rows), rows.height)
        inputs = {"release": release.digest}
        counts = _counts(old.counts, kept, released)
        return build.manifest(release.name, old.config, inputs=inputs, counts=counts)

    def conflict(existing: Manifest) -> str:
        return (
            f"{store.uri(latents_path(release.name))} holds other latents, with the digest "
            f"{existing.digest[:16]}: delete that folder, and start again"
        )

    folder = latents_path(release.name)
    return publish_once(store, folder, digest, code_version, fill, conflict).manifest


def _format(old: Manifest) -> int:
    """The form that latents were published in, which their digest tells."""
    for number in range(FORMAT, 0, -1):
        asked = {"format": number, "release": old.inputs["release"], "config": old.config}
        if json_digest(asked) == old.digest:
            return number
    return 0


def _counts(old: dict[str, Any], kept: pl.DataFrame, released: set[str]) -> dict[str, Any]:
    bucket = pl.format("{}x{}", "bucket_width", "bucket_height").alias("bucket")
    buckets = dict(kept.group_by(bucket).len().sort("bucket").iter_rows())
    # the limit itself is in no manifest: what is no larger than one that was small is small
    small = max((old["buckets"][name] for name in old["small_buckets"]), default=0)
    psnr = kept.filter(pl.col("psnr").is_finite())["psnr"]
    return {
        "images": kept.height,
        "failed": {image: why for image, why in old["failed"].items() if image in released},
        "buckets": buckets,
        "splits": dict(kept.group_by("split").len().sort("split").iter_rows()),
        "small_buckets": [name for name, images in buckets.items() if images <= small],
        "psnr": {"images": len(psnr), "mean": psnr.mean(), "min": psnr.min()},
    }
