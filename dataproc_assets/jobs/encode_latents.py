"""Encoding: every image of the unit files becomes a latent of the VAE, in its bucket.

Run as `python -m dataproc_assets.jobs.encode_latents --base DIR`; the folders below DIR are those
of SageMaker Processing (see `host`). Unit files `{unit}.todo.parquet` hold sha256, uri, offset,
length, bucket_width and bucket_height; each gives one part.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import polars as pl

from dataproc_assets.config.latents import EncodeConfig, latent_fingerprint
from dataproc_assets.jobs.cut import cut
from dataproc_assets.jobs.decode import DecodeError, decode
from dataproc_assets.jobs.host import run_worker, shared_units
from dataproc_assets.jobs.in_order import InOrder
from dataproc_assets.jobs.latent_batches import LatentBatches
from dataproc_assets.jobs.latent_noise import normal_noise
from dataproc_assets.jobs.latent_rows import LatentRows, Picture, Request
from dataproc_assets.jobs.parts import is_done, write_part
from dataproc_assets.jobs.pool import OrderedPool, Ticket
from dataproc_assets.jobs.progress import ProgressFile
from dataproc_assets.jobs.read import OutageWatch, ReadError, read_image
from dataproc_assets.models.torch_threads import use_threads
from dataproc_assets.models.vae import Vae, load_vae
from dataproc_assets.storage.layout import latent_part_path
from dataproc_assets.storage.objects import open_store

BATCHES_AHEAD = 2  # that a GPU computes, or whose results wait
PARTS_AHEAD = 1  # whole units in memory behind the one that is written


class Encoding:
    """One worker's share of the encoding."""

    def __init__(
        self, config: EncodeConfig, units: dict[str, Path], outputs: Path, rank: int
    ) -> None:
        self.config = config
        self.store = open_store(config.storage)
        self.fingerprint = latent_fingerprint(config.vae, config.decode)
        self.units = {unit: pl.read_parquet(path) for unit, path in units.items()}
        self.progress = ProgressFile(outputs, rank, sum(u.height for u in self.units.values()))
        self._written: SimpleQueue[int] = SimpleQueue()

    @cached_property
    def vae(self) -> Vae:
        """Loaded when the first unit asks, so never for nothing."""
        config = self.config
        count = config.vae.compile_buckets if config.compile else 0
        return load_vae(config.vae, config.device, commonest_buckets(self.units.values(), count))

    def run(self) -> None:
        """Write a part for every unit that has none.

        Reading, rows and previews, and writing each have threads of their own: this one feeds
        the VAE. A unit's part is written while the next units are encoded.

        Raises:
            StorageOutageError: too many images in a row could not be read.
        """
        outage = OutageWatch(self.config.read)
        pool = OrderedPool(
            self._prepare,
            self._too_slow,
            threads=self.config.readers,
            ahead=2 * self.config.batch_size + self.config.readers,
        )
        pictures = pool.map(request for unit in self.units for request in self._requests(unit))
        with InOrder(PARTS_AHEAD) as writer, InOrder(BATCHES_AHEAD) as collector:
            batches: LatentBatches | None = None
            for picture in pictures:
                batches = batches or self._batches(picture.request.unit, collector)
                batches.add(picture)
                self.progress.add(picture.error)
                outage.see(picture.status, picture.request.uri, picture.error)
                if picture.request.is_last:
                    rows = batches.finish()
                    collector.submit(partial(writer.submit, partial(self._write, rows)))
                    batches = None
                self._count_written()
        self._count_written()
        self.progress.write()

    def _batches(self, unit: str, collector: InOrder) -> LatentBatches:
        # On a CPU the VAE takes one picture at a time: padding would be encoded for nothing.
        size = 1 if self.config.device == "cpu" else self.config.batch_size
        return LatentBatches(unit, self.vae, collector, size, self.config.sample_share)

    def _write(self, rows: LatentRows) -> None:
        """In the writer's thread; the progress file is another's."""
        about: dict[str, object] = {
            "unit": rows.unit,
            "vae": self.config.vae.name,
            "device": self.config.device,
            "seconds": {"encode": rows.seconds},
        }
        write_part(self.store, self._part(rows.unit), rows.frame(), about)
        self._written.put(rows.not_finite)

    def _count_written(self) -> None:
        while not self._written.empty():
            self.progress.parts += 1
            if not_finite := self._written.get():
                self.progress.errors["not_finite"] += not_finite

    def _part(self, unit: str) -> str:
        return latent_part_path(self.fingerprint, unit)

    def _requests(self, unit: str) -> Iterator[Request]:
        """The images of a unit whose part is not done, bucket by bucket."""
        frame = self.units[unit].sort("bucket_width", "bucket_height", "sha256")
        if is_done(self.store, self._part(unit)):
            for _ in range(frame.height):
                self.progress.skip()
            return
        for place, row in enumerate(frame.iter_rows(named=True), start=1):
            yield Request(unit=unit, is_last=place == frame.height, **row)

    def _prepare(self, ticket: Ticket[Request, Picture]) -> Picture:
        """Read, decode, cut; in reader threads. Raises nothing that has to do with the image."""
        request, limits = ticket.item, self.config.decode
        try:
            data = read_image(
                request.uri, request.offset, request.length, limits.max_bytes, self.config.read
            )
            ticket.start_clock(limits.max_seconds)
            image = decode(data, limits)
        except ReadError as error:
            return Picture(request, "retry", str(error))
        except DecodeError as error:
            return Picture(request, "failed", str(error))
        if image.sha256 != request.sha256:
            return Picture(request, "retry", "changed: the bytes are not those that were scored")
        pixels, crop = cut(image.image, *request.bucket)
        noise = normal_noise(request, self.config.vae)
        size = (image.width, image.height)
        return Picture(request, size=size, crop=crop, pixels=pixels, noise=noise)

    def _too_slow(self, request: Request) -> Picture:
        return Picture(request, "failed", f"too_slow: over {self.config.decode.max_seconds:g} s")


def commonest_buckets(units: Iterable[pl.DataFrame], count: int) -> list[tuple[int, int]]:
    """The `count` buckets (width, height) with the most images; of equal ones the narrower."""
    keys = ["bucket_width", "bucket_height"]
    images = pl.concat([unit.select(keys) for unit in units]).group_by(keys).len()
    return images.sort("len", *keys, descending=[True, False, False]).select(keys).rows()[:count]


def main(config: dict[str, Any], inputs: Path, outputs: Path, rank: int, world: int) -> None:
    """Do this worker's share of the units in `inputs`/todo.

    Raises:
        pydantic.ValidationError: the configuration is not an EncodeConfig.
        WeightsError: the VAE's file is missing or another one.
        StorageOutageError: too many images in a row could not be read.
    """
    settings = EncodeConfig.model_validate(config)
    use_threads(settings.threads)
    Encoding(settings, shared_units(inputs, rank, world), outputs, rank).run()


if __name__ == "__main__":
    run_worker(main, __doc__)
