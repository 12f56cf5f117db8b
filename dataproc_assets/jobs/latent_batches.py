"""Pictures on their way through the VAE in batches of one bucket."""

from functools import partial

import torch

from dataproc_assets.jobs.in_order import InOrder
from dataproc_assets.jobs.latent_rows import LatentRows, Picture, is_drawn
from dataproc_assets.models.vae import Vae


class LatentBatches:
    """Starts a unit's batches and lets `collector` take their results in, in order.

    The pictures of the sample are decoded in full batches too: padding costs what pictures do.
    """

    def __init__(
        self, unit: str, vae: Vae, collector: InOrder, size: int, sample_share: float
    ) -> None:
        self._rows = LatentRows(unit)
        self._vae = vae
        self._collector = collector
        self._size = size
        self._share = sample_share
        self._waiting: list[Picture] = []
        self._drawn: list[tuple[Picture, torch.Tensor]] = []

    def add(self, picture: Picture) -> None:
        """Take a picture in. Pictures come bucket by bucket."""
        if picture.status != "ok":
            self._collector.submit(partial(self._rows.add_lost, picture))
            return
        if self._waiting and self._waiting[0].request.bucket != picture.request.bucket:
            self._encode()
        self._waiting.append(picture)
        if len(self._waiting) == self._size:
            self._encode()

    def finish(self) -> LatentRows:
        """Start what waits; the rows are whole once the collector has come so far."""
        self._encode()
        self._decode()
        return self._rows

    def _encode(self) -> None:
        pictures, self._waiting = self._waiting, []
        if not pictures:
            return
        noise = [picture.noise for picture in pictures if picture.noise is not None]
        latents = self._vae.start_encoding([p.pixels for p in pictures], self._size, noise)
        self._collector.submit(partial(self._rows.add_encoded, pictures, latents))
        for picture, latent in zip(pictures, latents.on_device, strict=True):
            if is_drawn(picture.request.sha256, self._share):
                if self._drawn and self._drawn[0][1].shape != latent.shape:
                    self._decode()
                self._drawn.append((picture, latent))
                if len(self._drawn) == self._size:
                    self._decode()

    def _decode(self) -> None:
        drawn, self._drawn = self._drawn, []
        if drawn:
            decoded = self._vae.start_decoding([latent for _, latent in drawn], self._size)
            pictures = [picture for picture, _ in drawn]
            self._collector.submit(partial(self._rows.add_decoded, pictures, decoded))
