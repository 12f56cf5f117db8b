"""The decoded latents that the encoding kept a picture of."""

import polars as pl

from dataproc_assets.release.encoded import latent_index
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet


def read_previews(store: ObjectStore, fingerprint: str) -> pl.DataFrame:
    """`sha256`, `psnr` (dB) and `preview` (WebP bytes) of the sampled images, by hash."""
    parts = latent_index(store, fingerprint).filter(pl.col("psnr").is_not_null())["part"].unique()
    columns = ["sha256", "psnr", "preview"]
    frames = [from_parquet(store.get(part)).select(columns) for part in parts.sort()]
    schema = pl.Schema({"sha256": pl.String, "psnr": pl.Float64, "preview": pl.Binary})
    found = pl.concat([schema.to_frame(), *[f.cast(schema) for f in frames]])
    return found.drop_nulls("preview").unique("sha256", keep="first").sort("sha256")
