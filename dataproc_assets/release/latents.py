"""A release's latents: WebDataset shards by bucket, visible by one manifest of their own."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.config.releases import LatentsConfig, ReleaseConfig
from dataproc_assets.config.runners import DecodeConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.release.build import Build, Published, publish_once
from dataproc_assets.release.encoded import KEY, LatentReader, bucketed, latent_array, latent_index
from dataproc_assets.release.latent_places import (
    LATENT,
    PLACES,
    places_in_file,
    places_in_object,
)
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.samples import canonical_json, first_prompt
from dataproc_assets.release.tars import (
    Sample,
    Written,
    sample_name,
    shard_bounds,
    shard_name,
    write_tar,
)
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.withdrawn import present_name
from dataproc_assets.transforms.buckets import cover

FORMAT = 3
OF_THE_RUN = {"batch_size", "sample_share", "psnr_min", "small_bucket"}  # they change no latent


class LatentsIncompleteError(Exception):
    """Images of the release have no latent yet."""


def publish_latents(
    store: ObjectStore,
    config: ReleaseConfig,
    vae: VaeConfig,
    decode: DecodeConfig,
    *,
    code_version: str,
) -> Published:
    """Assemble the latents of a published release below `latents/{name}`, without revoked images.

    Of a release that was withdrawn they are those of the one in its place, below its name.

    A sample is `{id}.latent.npy` [channels, height / factor, width / factor], unscaled, `.json`
    (original_size, crop_ltrb, resized_size, bucket, prompts …) and `.txt`; `latents.parquet` says
    where in its shard each latent lies. Images that failed for good are left out and named in the
    manifest; no bucket is left out for being small.

    Raises:
        FileNotFoundError: the release is not published.
        LatentsIncompleteError: images are not encoded yet.
        ReleaseExistsError: its latents are published with another VAE or in another form.
        ReleaseDamagedError: they are published, but their files are not intact.
        ChangedFileError: a part was changed since it was written.
    """
    latents = config.latents
    if latents is None:
        raise ValueError(f"conf/releases/{config.name}.yaml has no section `latents`")
    train = bucketed(read_train(store, config.name), latents.buckets)
    release = read_manifest(store, release_path(present_name(store, config.name)))
    assert release is not None
    fingerprint = latent_fingerprint(vae, decode)
    about = {
        **latents.model_dump(mode="json", exclude=OF_THE_RUN),
        "fingerprint": fingerprint,
        "channels": vae.channels,
        "factor": vae.factor,
        "scaling": vae.scaling,
    }
    digest = json_digest({"format": FORMAT, "release": release.digest, "config": about})
    folder = latents_path(release.name)

    def fill(build: Build) -> Manifest:
        rows = _indexed(config.name, train, latent_index(store, fingerprint))
        located = _with_shards(rows.filter(pl.col("status") == "ok"), latents, vae)
        places = _write_shards(build, located, LatentReader(store), config, vae)
        table = located.select("image_id", "split", *KEY, "shard", "psnr").join(
            places, on="image_id", how="left", validate="1:1", maintain_order="left"
        )
        build.write("latents.parquet", to_parquet(table), table.height)
        inputs = {"release": release.digest}
        return build.manifest(release.name, about, inputs=inputs, counts=_counts(rows, latents))

    def conflict(existing: Manifest) -> str:
        if existing.config == about and existing.inputs == {"release": release.digest}:
            return (
                f"the latents of release {config.name!r} at {store.uri(folder)} are in the form of "
                "an older version; remove that folder and make the latents again"
            )
        return (
            f"the latents of release {config.name!r} are published at {store.uri(folder)} with the "
            f"digest {existing.digest[:16]} and {existing.config}, now asked: {about}. Delete that "
            "folder if no training reads it any more, or name a new release in conf/releases"
        )

    return publish_once(store, folder, digest, code_version, fill, conflict)


def _indexed(name: str, train: pl.DataFrame, index: pl.DataFrame) -> pl.DataFrame:
    """The train table with each image's status, psnr and part; all must have one."""
    rows = train.join(index, on=KEY, how="left", validate="m:1", maintain_order="left")
    missing = rows.filter(pl.col("status").is_null())["image_id"]
    if len(missing):
        raise LatentsIncompleteError(
            f"{len(missing)} of {rows.height} images of release {name!r} are not encoded yet "
            f"(first: {', '.join(missing.head(3))}); run the encoding job for its todo first"
        )
    return rows


def _with_shards(rows: pl.DataFrame, config: LatentsConfig, vae: VaeConfig) -> pl.DataFrame:
    """By split and bucket, then hash as the parts are; shards numbered from 0 in each of these."""
    item = np.dtype(config.dtype).itemsize * vae.channels
    done = []
    bucket = ["split", "bucket_width", "bucket_height"]
    for (split, width, height), part in rows.sort(*bucket, "sha256", "image_id").group_by(
        bucket, maintain_order=True
    ):
        size = item * (int(width) // vae.factor) * (int(height) // vae.factor)
        bounds = shard_bounds(
            np.full(part.height, size), config.shard.bytes_max, config.shard.images_max
        )
        number = np.searchsorted(bounds, np.arange(part.height), side="right") - 1
        names = [shard_name(f"webdataset/{split}-{width}x{height}", int(n)) for n in number]
        done.append(part.with_columns(shard=pl.Series(names, dtype=pl.String)))
    return pl.concat(done) if done else rows.with_columns(shard=pl.lit(None, pl.String))


def _write_shards(
    build: Build, rows: pl.DataFrame, reader: LatentReader, config: ReleaseConfig, vae: VaeConfig
) -> pl.DataFrame:
    """Write the tars; returns where each latent lies in its own, in PLACES."""
    found = [PLACES.to_frame()]
    for (path,), part in rows.group_by("shard", maintain_order=True):
        made: list[pl.DataFrame] = []

        def make(
            local: Path, part: pl.DataFrame = part, made: list[pl.DataFrame] = made
        ) -> Written:
            whole = reader.rows(part).iter_rows(named=True)
            written = write_tar(local, (_sample(row, config, vae) for row in whole))
            made.append(places_in_file(local))
            return written

        build.write_file(str(path), make)
        if not made:  # a run that was killed wrote it
            made.append(places_in_object(build.store, f"{build.root}/{path}"))
        found += made
    return pl.concat(found)


def _sample(row: dict[str, Any], config: ReleaseConfig, vae: VaeConfig) -> Sample:
    assert config.latents is not None
    latent = latent_array(row, config.latents.dtype)
    bucket = (row["bucket_width"], row["bucket_height"])
    expected = (vae.channels, bucket[1] // vae.factor, bucket[0] // vae.factor)
    if latent.shape != expected:
        raise ValueError(f"{row['image_id']}: latent of shape {latent.shape}, expected {expected}")
    crop = cover(row["original_width"], row["original_height"], *bucket)
    meta = {
        "image_id": row["image_id"],
        "representative": row["representative"],
        "sha256": row["sha256"],
        "original_size": [row["original_width"], row["original_height"]],
        "resized_size": [crop.resized_width, crop.resized_height],
        "crop_ltrb": [row[f"crop_{side}"] for side in ("left", "top", "right", "bottom")],
        "bucket": list(bucket),
        "prompts": {recipe: row[f"prompts__{recipe}"] for recipe in config.recipes},
    }
    buffer = BytesIO()
    np.save(buffer, latent, allow_pickle=False)
    return Sample(
        sample_name(row["image_id"]),
        [
            (LATENT, buffer.getvalue()),
            ("json", canonical_json(meta)),
            ("txt", first_prompt(row, config.recipes[0]).encode()),
        ],
    )


def _counts(rows: pl.DataFrame, config: LatentsConfig) -> dict[str, Any]:
    ok = rows.filter(pl.col("status") == "ok")
    failed = rows.filter(pl.col("status") != "ok").select("image_id", "error")
    bucket = pl.format("{}x{}", "bucket_width", "bucket_height").alias("bucket")
    buckets = dict(ok.group_by(bucket).len().sort("bucket").iter_rows())
    psnr = ok.filter(pl.col("psnr").is_finite())["psnr"]
    return {
        "images": ok.height,
        "failed": dict(failed.iter_rows()),
        "buckets": buckets,
        "splits": dict(ok.group_by("split").len().sort("split").iter_rows()),
        "small_buckets": [name for name, n in buckets.items() if n < config.small_bucket],
        "psnr": {"images": len(psnr), "mean": psnr.mean(), "min": psnr.min()},
    }
