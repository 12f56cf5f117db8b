"""Which images each of several models is measured on: none sees what is much like those."""

import polars as pl

from dataproc_assets.config.denoiser import DenoiserConfig
from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.units import SUFFIX
from dataproc_assets.transforms.draws import hash64

ADDRESS = ["image_id", "uri", "offset", "length", "prompts"]


def folded(samples: pl.DataFrame, families: pl.DataFrame, config: DenoiserConfig) -> pl.DataFrame:
    """The samples that take part, with `family`, `fold` and `drawn`, sorted by image_id.

    The held-out split is fold 0, whose model is kept. The others are dealt by family, in the
    order of a hash. Of more than `images_max` samples those of the smallest hash take part; what
    later turned out to be of a held-out image's family takes none.

    Args:
        samples: image_id, split.
        families: image_id, family; an image that is not there is a family of its own.

    Raises ValueError where a fold would be empty.
    """
    drawn = hash64(config.seed, pl.lit("denoiser"), pl.col("image_id"))
    rows = samples.with_columns(hash=drawn).sort("hash", "image_id").head(config.images_max)
    rows = rows.join(families, on="image_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.coalesce("family", "image_id").alias("family"))
    held = pl.col("split") == config.held_out
    kin = pl.col("family").is_in(rows.filter(held)["family"].unique().to_list())
    rows = rows.filter(held | ~kin)
    others = rows.filter(~held)["family"].unique()
    order = pl.DataFrame({"family": others}).sort(
        hash64(config.seed, pl.lit("fold"), pl.col("family")), "family"
    )
    dealt = order.with_row_index("place").select(
        "family", fold=1 + pl.col("place").cast(pl.Int32) % (config.folds - 1)
    )
    rows = rows.join(dealt, on="family", how="left", maintain_order="left").with_columns(
        fold=pl.when(held).then(0).otherwise("fold").cast(pl.Int32)
    )
    counts = dict(rows.group_by("fold").len().iter_rows())
    empty = [fold for fold in range(config.folds) if not counts.get(fold)]
    if empty:
        raise ValueError(
            f"{rows.height} latents in {config.folds} folds leave fold {empty[0]} empty: fold 0 is "
            f"the split {config.held_out!r}, the others share what it leaves; set denoiser.folds "
            "to fewer, or give that split a larger share"
        )
    place = pl.col("hash").rank("ordinal").over("fold")
    return rows.with_columns(drawn=held & (place <= config.samples)).drop("hash").sort("image_id")


def fold_units(rows: pl.DataFrame, folds: int, latents: str) -> dict[str, bytes]:
    """The unit files of the training job, `{unit}.todo.parquet`, in the order of the folds.

    Args:
        rows: what `folded` gave, with ADDRESS.
        latents: the digest of the latents, which with the rows names the units.
    """
    units = {}
    for fold in range(folds):
        unit = rows.select(
            *ADDRESS, held_out=pl.col("fold") == fold, drawn="drawn", kept=pl.lit(fold == 0)
        )
        # where the tars lie is left out: latents that were copied are the same ones
        name = json_digest([latents, frame_digest(unit.drop("uri", "offset", "length"))])[:16]
        units[f"{name}{SUFFIX}"] = to_parquet(unit)
    return units
