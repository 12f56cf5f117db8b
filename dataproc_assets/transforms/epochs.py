"""What stands in which batch of an epoch, and which batch is whose: by seed and epoch alone."""

from typing import Literal

import numpy as np
import polars as pl
import polars_hash as plh

BUCKET = ["bucket_width", "bucket_height"]

Rest = Literal["short", "repeat", "drop"]


def draw_prompts(samples: pl.DataFrame, *, seed: int, epoch: int) -> pl.DataFrame:
    """The samples with the `prompt` of an epoch, one of their `prompts`."""
    draw = plh.concat_str(pl.lit(f"{seed}:prompt:{epoch}:"), "image_id")
    variant = draw.nchash.xxh3_64() % pl.col("prompts").list.len()  # type: ignore[attr-defined]
    return samples.with_columns(prompt=pl.col("prompts").list.get(variant))


def plan_epoch(
    samples: pl.DataFrame,
    *,
    batch_size: int,
    rest: Rest,
    seed: int,
    epoch: int,
    rank: int,
    world: int,
) -> list[np.ndarray]:
    """The rows of each batch of a rank in an epoch; all rows of a batch are of one bucket.

    Args:
        samples: `image_id`, `bucket_width`, `bucket_height`.
        rest: what becomes of the samples of a bucket that do not fill a batch: a `short` batch
            of their own, one filled up by `repeat` of others of the bucket, or `drop`. With
            `repeat` and `drop` all ranks have the same number of batches; with `short` some may
            have one more.
    """
    salt = pl.lit(f"{seed}:epoch:{epoch}:")
    draw = plh.concat_str(salt, "image_id").nchash.xxh3_64()  # type: ignore[attr-defined]
    ordered = samples.select(*BUCKET, draw=draw).with_row_index("row")
    ordered = ordered.sort(*BUCKET, "draw", "row")
    batches: list[tuple[int, np.ndarray]] = []
    for (_, _), part in ordered.group_by(BUCKET, maintain_order=True):
        rows, draws = part["row"].to_numpy(), part["draw"].to_numpy()
        for first in range(0, len(rows), batch_size):
            some = rows[first : first + batch_size]
            if len(some) < batch_size and rest != "short":
                if rest == "drop":
                    continue
                some = np.resize(np.concatenate([some, rows]), batch_size)
            batches.append((int(draws[first]), some))
    batches.sort(key=lambda batch: (batch[0], batch[1].tolist()))
    over = len(batches) % world
    if rest == "drop":
        batches = batches[: len(batches) - over]
    elif rest == "repeat" and over:
        batches = [*batches, *(batches * world)[: world - over]]
    return [rows for _, rows in batches[rank::world]]
