"""Encoding: every image of the unit files becomes the mean of the VAE's posterior, in its bucket.

Run as `python -m dataproc_assets.jobs.encode_latents --base DIR`; the folders below DIR are those
of SageMaker Processing (see `host`). Unit files `{unit}.todo.parquet` hold sha256, uri, offset,
length, bucket_width and bucket_height; each gives one part.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from dataproc_assets.config.latents import EncodeConfig, latent_fingerprint
from dataproc_assets.jobs.cut import cut
from dataproc_assets.jobs.decode import DecodeError, decode
from dataproc_assets.jobs.host import run_worker, shared_units
from dataproc_assets.jobs.latent_rows import LatentRows, Picture, Request
from dataproc_assets.jobs.parts import is_done, write_part
from dataproc_assets.jobs.pool import OrderedPool, Ticket
from dataproc_assets.jobs.progress import ProgressFile
from dataproc_assets.jobs.read import OutageWatch, ReadError, read_image
from dataproc_assets.models.torch_threads import use_threads
from dataproc_assets.models.vae import Vae, load_vae
from dataproc_assets.storage.layout import latent_part_path
from dataproc_assets.storage.objects import open_store


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

    @cached_property
    def vae(self) -> Vae:
        """Loaded when the first unit asks, so never for nothing."""
        return load_vae(self.config.vae, self.config.device)

    def run(self) -> None:
        """Write a part for every unit that has none.

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
        rows: LatentRows | None = None
        for picture in pictures:
            rows = rows or self._rows()
            rows.add(picture)
            self.progress.add(picture.error)
            outage.see(picture.status, picture.request.uri, picture.error)
            if picture.request.is_last:
                self._write(picture.request.unit, rows)
                rows = None
        self.progress.write()

    def _rows(self) -> LatentRows:
        config = self.config
        return LatentRows(self.vae, config.batch_size, config.sample_share, config.device)

    def _write(self, unit: str, rows: LatentRows) -> None:
        frame = rows.frame()
        about: dict[str, object] = {
            "unit": unit,
            "vae": self.config.vae.name,
            "device": self.config.device,
            "seconds": {"encode": rows.seconds},
        }
        write_part(self.store, self._part(unit), frame, about)
        self.progress.parts += 1
        self.progress.write()

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
        return Picture(request, size=(image.width, image.height), crop=crop, pixels=pixels)

    def _too_slow(self, request: Request) -> Picture:
        return Picture(request, "failed", f"too_slow: over {self.config.decode.max_seconds:g} s")


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
