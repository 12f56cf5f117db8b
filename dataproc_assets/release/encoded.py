"""The latent parts of one VAE: what is encoded, what is left to do, and reading latents back."""

import json
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.config.releases import Buckets
from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.layout import done_path, latent_parts_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets.transforms.buckets import with_buckets

KEY = ["sha256", "bucket_width", "bucket_height"]
BY_BUCKET = ["bucket_width", "bucket_height", "sha256"]
INDEX_SCHEMA = pl.Schema(
    {
        "sha256": pl.String,
        "bucket_width": pl.Int32,
        "bucket_height": pl.Int32,
        "status": pl.String,
        "error": pl.String,
        "psnr": pl.Float64,
        "part": pl.String,
    }
)


def latent_index(store: ObjectStore, fingerprint: str) -> pl.DataFrame:
    """What is encoded, or failed for good: one row a KEY, and the part it is in.

    Only parts whose done mark is there count; of two rows of one KEY the ok one does.
    """
    paths = set(store.list(latent_parts_path(fingerprint))["path"])
    parts = sorted(p for p in paths if p.endswith(".parquet") and done_path(p) in paths)
    rows = [
        pl.scan_parquet(store.uri(part))
        .select(*KEY, "status", "error", "psnr")
        .with_columns(part=pl.lit(part))
        for part in parts
    ]
    return (
        pl.concat([INDEX_SCHEMA.to_frame().lazy(), *rows])
        .filter(pl.col("status") != "retry")
        .sort(*KEY, pl.col("status") != "ok", "part")
        .unique(KEY, keep="first", maintain_order=True)
        .collect()
    )


def latent_todo(
    train: pl.DataFrame, buckets: Buckets, index: pl.DataFrame, addresses: pl.DataFrame
) -> pl.DataFrame:
    """The images of a train table that have no latent: KEY and address, bucket by bucket.

    Args:
        train: a release's train table.
        buckets: the buckets of its latents.
        index: what `latent_index` returned.
        addresses: `image_key`, `uri`, `offset`, `length`: the inventories.

    Raises ValueError where an image's address is not known any more.
    """
    todo = (
        bucketed(train, buckets)
        .select(*KEY, "representative")
        .unique(KEY)
        .join(index, on=KEY, how="anti")
        .join(
            addresses.select("image_key", "uri", "offset", "length"),
            left_on="representative",
            right_on="image_key",
            how="left",
            validate="m:1",
        )
        .sort(BY_BUCKET)
    )
    lost = todo.filter(pl.col("uri").is_null())["representative"]
    if len(lost):
        raise ValueError(
            f"{len(lost)} released images have no address any more (first: "
            f"{', '.join(lost.head(3))}): their latents can only be made from the release's tars"
        )
    return todo.drop("representative")


def bucketed(train: pl.DataFrame, buckets: Buckets) -> pl.DataFrame:
    """A train table in the buckets of its latents, which may be younger than the release."""
    return with_buckets(train.lazy(), buckets).collect()


def latent_units(todo: pl.DataFrame, unit_images: int) -> dict[str, bytes]:
    """Unit files of the encoding job, `{unit}.todo.parquet`, named by their images' KEYs."""
    slices = todo.iter_slices(unit_images) if todo.height else []
    return {
        f"{frame_digest(part.select(KEY))[:16]}.todo.parquet": to_parquet(part) for part in slices
    }


class LatentReader:
    """Reads latents out of their parts, a few parts in memory at a time."""

    def __init__(self, store: ObjectStore, parts_in_memory: int = 2) -> None:
        self._store = store
        self._part = lru_cache(parts_in_memory)(self._read)

    def rows(self, wanted: pl.DataFrame) -> pl.DataFrame:
        """The parts' columns joined to rows that have KEY and `part`; their order is kept."""
        found = [
            part_rows.select(*KEY, "part").join(self._part(str(part)), on=KEY, how="left")
            for (part,), part_rows in wanted.group_by("part", maintain_order=True)
        ]
        values = pl.concat(found).drop("part", "status", "error", "psnr")
        return wanted.join(values, on=KEY, how="left", maintain_order="left")

    def _read(self, part: str) -> pl.DataFrame:
        frame = from_parquet(self._store.get(part))
        if frame_digest(frame) != json.loads(self._store.get(done_path(part)))["digest"]:
            raise ChangedFileError(
                f"{self._store.uri(part)}: was changed since it was written; delete it and its "
                ".json, then run the latents of the release again"
            )
        return frame


def latent_array(row: dict[str, Any], dtype: str) -> np.ndarray:
    """A row's latent, [channels, height, width].

    Raises ValueError where it has another shape than its bytes, or is not finite in `dtype`.
    """
    shape = (row["latent_channels"], row["latent_height"], row["latent_width"])
    values = np.frombuffer(row["latent"], dtype="<f4").reshape(shape).astype(dtype)
    if not np.isfinite(values).all():
        raise ValueError(
            f"the latent of {row['sha256']} is not finite as {dtype}; set dtype: float32"
        )
    return values
