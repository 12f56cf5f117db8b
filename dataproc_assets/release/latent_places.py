"""Where each latent lies in its tar: a loader then reads it with one request."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tar_index import Read, tar_index

LATENT = "latent.npy"
PLACES = pl.Schema({"image_id": pl.String, "offset": pl.Int64, "length": pl.Int64})
MOST_HEADER = 1 << 20  # bytes of an extended header; a release writes none


def places_in_file(path: Path) -> pl.DataFrame:
    """`latent_places` of a tar on the local disk."""
    with path.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        return latent_places(read, path.stat().st_size, str(path))


def places_in_object(store: ObjectStore, path: str) -> pl.DataFrame:
    """`latent_places` of a tar in a store, with some requests for each sample."""
    size = store.size(path)

    def read(offset: int, length: int) -> bytes:
        return store.get_range(path, offset, min(length, size - offset))

    return latent_places(read, size, store.uri(path))


def latent_places(read: Read, size: int, where: str) -> pl.DataFrame:
    """image_id, offset and length, in bytes, of each latent in a tar, in its order.

    Args:
        read: gives the bytes at an offset.
        size: of the tar, in bytes.
        where: what it is called in an error.

    Raises ValueError where the tar is not whole.
    """
    found = tar_index(read, size, MOST_HEADER)
    if found.reason or found.skipped:
        raise ValueError(f"{where}: {found.reason or found.skipped[0]}")
    rows = [
        (name, member.offset, member.size)
        for member in found.members
        for name, _, extension in [member.name.partition(".")]
        if extension == LATENT
    ]
    return pl.DataFrame(rows, schema=PLACES, orient="row")


def placed_anew(
    store: ObjectStore, root: str, table: pl.DataFrame, shards: Iterable[str]
) -> pl.DataFrame:
    """A table of latents with the places that they have in shards which were rewritten.

    Args:
        root: the folder of the shards.
        table: rows of `latents.parquet`; those of other shards keep their places, and a table of
            an older form, which has none, is left as it is.
    """
    if not {"offset", "length"} <= set(table.columns):
        return table
    found = [places_in_object(store, f"{root}/{shard}") for shard in sorted(shards)]
    moved = pl.concat([PLACES.to_frame(), *found])
    joined = table.join(
        moved, on="image_id", how="left", validate="1:1", maintain_order="left", suffix="_moved"
    )
    now = {name: pl.coalesce(f"{name}_moved", name) for name in ("offset", "length")}
    return joined.with_columns(**now).select(table.columns)
