"""Latents and prompts of a release in batches of one bucket, for a trainer's loop.

    batches = LatentBatches("data/store", "demo", batch_size=8, rank=rank, world=world)
    for batch in batches.epoch(0):
        latents = torch.from_numpy(batch.latents).cuda() * batches.scaling

Every sample comes once an epoch over all ranks and workers; what stands in which batch and which
batch is whose follows from seed and epoch alone, so a run that was ended goes on from a step.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.release.latent_places import LATENT
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.release.revoked import revoked_of
from dataproc_assets.release.rows import table_name
from dataproc_assets.release.tars import BLOCK, member_header
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.npy import read_npy
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets.storage.withdrawn import present_name
from dataproc_assets.transforms.buckets import cover
from dataproc_assets.transforms.epochs import BUCKET, Rest, draw_prompts, plan_epoch

PLACE = ["shard", "offset", "length"]


@dataclass(frozen=True)
class Batch:
    """Samples of one bucket.

    Attributes:
        latents: [n, channels, height / factor, width / factor], unscaled, as published.
        prompts: one a sample, its variant drawn anew each epoch.
        image_ids: whose they are.
        original_size: int32 [n, 2], width and height before the image was cut to its bucket.
        crop_ltrb: int32 [n, 4], the window in pixels of the resized image.
        bucket: width and height in pixels.
        step: the batch's number among those of its rank, from 0.
    """

    latents: np.ndarray
    prompts: list[str]
    image_ids: list[str]
    original_size: np.ndarray
    crop_ltrb: np.ndarray
    bucket: tuple[int, int]
    step: int


class LatentBatches:
    """The batches of one rank.

    Args:
        root: the storage root, a folder or `s3://bucket/prefix`, or a folder that a release was
            fetched to.
        name: the release; of one that was withdrawn, the one in its place is read.
        split: which of its splits.
        batch_size: samples a batch.
        recipe: whose prompts; by default the release's first.
        seed: of all draws.
        rank, world: of how many processes this is which.
        rest: what becomes of the samples of a bucket that do not fill a batch: a `short` batch
            of their own, one filled up by `repeat` of others of the bucket, or `drop`. With
            `repeat` and `drop` all ranks have the same number of batches; with `short` some may
            have one more.
        readers: samples read at a time.

    Raises:
        FileNotFoundError: the release or its latents are not published.
        ValueError: there is no such split or recipe, the latents are of another release of the
            name or in an older form, or a tar is not what was published.
        ChangedFileError: a table is not the one that its manifest names.
    """

    def __init__(
        self,
        root: str,
        name: str,
        *,
        batch_size: int,
        split: str = "train",
        recipe: str | None = None,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        rest: Rest = "repeat",
        readers: int = 8,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} is none of {world}")
        self._process = os.getpid()
        self._store = open_store(root)
        name = present_name(self._store, name)
        self._name, self._split, self._seed = name, split, seed
        self._batch_size, self._rank, self._world = batch_size, rank, world
        self._rest: Rest = rest
        self._readers = readers
        self._release = _published(self._store, release_path(name))
        self._latents = _published(self._store, latents_path(name))
        if self._latents.inputs["release"] != self._release.digest:
            raise ValueError(
                f"{self._store.uri(latents_path(name))} is of another release of the name "
                f"{name!r}; remove that folder and make the latents again"
            )
        self._recipe = recipe or self._release.config["recipes"][0]
        known = {"split": self._release.config["splits"], "recipe": self._release.config["recipes"]}
        for kind, value in (("split", split), ("recipe", self._recipe)):
            if value not in known[kind]:
                there = ", ".join(known[kind])
                raise ValueError(f"release {name!r} has no {kind} {value!r}; it has {there}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_process": os.getpid()}  # in a worker that was started anew

    @property
    def scaling(self) -> float:
        """What the VAE's model multiplies a latent by."""
        return float(self._latents.config["scaling"])

    @cached_property
    def samples(self) -> pl.DataFrame:
        """One row a sample: image_id, bucket, width, height, prompts, shard, offset, length.

        Raises RevocationError where a revocation cannot be trusted.
        """
        rows = self._table(self._latents, "latents.parquet")
        if not set(PLACE) <= set(rows.columns):
            raise ValueError(
                f"{self._store.uri(latents_path(self._name))}: these latents are in the form of an "
                "older version; remove that folder and make the latents again"
            )
        train = self._table(self._release, table_name(self._split)).select(
            "image_id", "width", "height", prompts=f"prompts__{self._recipe}"
        )
        rows = revoked_of(self._store, self._release).without(rows)
        rows = rows.filter(pl.col("split") == self._split)
        found = rows.select("image_id", *BUCKET, *PLACE).join(train, on="image_id")
        return found.sort("image_id")

    def __len__(self) -> int:
        """Batches of this rank in an epoch."""
        return len(self._plan(0))

    def epoch(
        self, number: int, *, start: int = 0, worker: int = 0, workers: int = 1
    ) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on; of several workers, every so-manieth.

        The batches of the workers, one of each in turn, are those of one worker in its order.

        Raises RuntimeError in a process that was forked, where the store would never answer.
        """
        if self._process != os.getpid():
            raise RuntimeError(
                "these LatentBatches were made before this process was forked; start workers anew: "
                'DataLoader(…, multiprocessing_context="spawn")'
            )
        rows = draw_prompts(self.samples, seed=self._seed, epoch=number)
        plan = self._plan(number)
        for step in range(start, len(plan)):
            if (step - start) % workers == worker:
                yield self._batch(rows[plan[step]], step)

    def _plan(self, epoch: int) -> list[np.ndarray]:
        """The rows of each batch of this rank."""
        return plan_epoch(
            self.samples,
            batch_size=self._batch_size,
            rest=self._rest,
            seed=self._seed,
            epoch=epoch,
            rank=self._rank,
            world=self._world,
        )

    def _batch(self, rows: pl.DataFrame, step: int) -> Batch:
        bucket = (int(rows["bucket_width"][0]), int(rows["bucket_height"][0]))
        sizes = zip(rows["width"], rows["height"], strict=True)
        crops = [cover(width, height, *bucket) for width, height in sizes]
        with ThreadPoolExecutor(min(self._readers, rows.height)) as pool:
            latents = list(pool.map(self._latent, rows.iter_rows(named=True)))
        return Batch(
            latents=np.stack(latents),
            prompts=rows["prompt"].to_list(),
            image_ids=rows["image_id"].to_list(),
            original_size=rows.select("width", "height").to_numpy().astype(np.int32),
            crop_ltrb=np.array([(c.left, c.top, c.right, c.bottom) for c in crops], np.int32),
            bucket=bucket,
            step=step,
        )

    def _latent(self, row: dict[str, Any]) -> np.ndarray:
        """Read with the header before it, which says whose it is."""
        path = f"{self._latents.root}/{row['shard']}"
        try:
            header = member_header(f"{row['image_id']}.{LATENT}", row["length"])
            data = self._store.get_range(path, row["offset"] - BLOCK, BLOCK + row["length"])
            if data[:BLOCK] != header:
                raise ValueError("another member lies there")
            return read_npy(data[BLOCK:])
        except (EOFError, ValueError) as error:
            raise ValueError(
                f"{self._store.uri(path)}: the latent of {row['image_id']} is not at byte "
                f"{row['offset']} ({error}); `dataproc release verify {self._name}` finds what "
                "was changed"
            ) from error

    def _table(self, manifest: Manifest, name: str) -> pl.DataFrame:
        path = f"{manifest.root}/{name}"
        data = self._store.get(path)
        if bytes_digest(data) != manifest.files[name].sha256:
            raise ChangedFileError(
                f"{self._store.uri(path)} is not what was published; restore it from a copy, then "
                f"`dataproc release verify {self._name}` tells whether all is well"
            )
        return pl.read_parquet(data)


def _published(store: ObjectStore, folder: str) -> Manifest:
    manifest = read_manifest(store, folder)
    if manifest is None:
        raise FileNotFoundError(f"{store.uri(folder)}: nothing is published there")
    return manifest
