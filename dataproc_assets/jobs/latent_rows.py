"""The rows of a latent part: a picture's latent, how it was cut, and a sample's reconstruction."""

import time
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
import xxhash
from PIL import Image

from dataproc_assets.jobs.cut import psnr, to_pixels, to_signed
from dataproc_assets.models.base import in_fixed_batches
from dataproc_assets.models.vae import Vae
from dataproc_assets.transforms.buckets import Crop

LATENT_SCHEMA = pl.Schema(
    {
        "sha256": pl.String,
        "bucket_width": pl.Int32,
        "bucket_height": pl.Int32,
        "status": pl.String,
        "error": pl.String,
        "latent": pl.Binary,  # float32, little endian, [channels, height, width] in C order
        "latent_channels": pl.Int32,
        "latent_height": pl.Int32,
        "latent_width": pl.Int32,
        "original_width": pl.Int32,
        "original_height": pl.Int32,
        "crop_left": pl.Int32,
        "crop_top": pl.Int32,
        "crop_right": pl.Int32,
        "crop_bottom": pl.Int32,
        "psnr": pl.Float64,
        "preview": pl.Binary,  # WebP of the decoded latent
    }
)


@dataclass(frozen=True)
class Request:
    """An image of a unit, its address and its bucket; `is_last` marks the unit's last one."""

    unit: str
    sha256: str
    uri: str
    offset: int | None
    length: int | None
    bucket_width: int
    bucket_height: int
    is_last: bool

    @property
    def bucket(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.bucket_width, self.bucket_height


@dataclass
class Picture:
    """What came of a request: the picture cut to its bucket, or the reason why there is none."""

    request: Request
    status: Literal["ok", "failed", "retry"] = "ok"
    error: str | None = None
    size: tuple[int, int] = (0, 0)
    crop: Crop | None = None
    pixels: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))


class LatentRows:
    """Collects the pictures of a unit and encodes them in batches of one bucket.

    `seconds` is what the VAE has taken so far.
    """

    def __init__(self, vae: Vae, batch_size: int, sample_share: float, device: str) -> None:
        self._vae = vae
        self._share = sample_share
        self._batch_size = batch_size
        # On a CPU the VAE takes one picture at a time: padding would be encoded for nothing.
        self._shape = 1 if device == "cpu" else batch_size
        self._waiting: list[Picture] = []
        self._rows: list[dict[str, Any]] = []
        self.seconds = 0.0

    def add(self, picture: Picture) -> None:
        """Take a picture in. Pictures come bucket by bucket."""
        if picture.status != "ok":
            self._rows.append(_row(picture))
            return
        if self._waiting and self._waiting[0].request.bucket != picture.request.bucket:
            self._encode()
        self._waiting.append(picture)
        if len(self._waiting) == self._batch_size:
            self._encode()

    def frame(self) -> pl.DataFrame:
        """All rows, by LATENT_SCHEMA, sorted by bucket and sha256."""
        self._encode()
        frame = pl.DataFrame(self._rows, schema=LATENT_SCHEMA, orient="row")
        return frame.sort("bucket_width", "bucket_height", "sha256")

    def _encode(self) -> None:
        if not self._waiting:
            return
        start = time.monotonic()
        pixels = np.stack([picture.pixels for picture in self._waiting])
        latents = in_fixed_batches(self._encoded, to_signed(pixels), self._shape)
        for picture, latent in zip(self._waiting, latents, strict=True):
            self._rows.append(self._encoded_row(picture, latent))
        self._waiting.clear()
        self.seconds += time.monotonic() - start

    def _encoded_row(self, picture: Picture, latent: np.ndarray) -> dict[str, Any]:
        if not np.isfinite(latent).all():
            picture.status, picture.error = "failed", "not_finite: the VAE gave NaN or infinity"
            return _row(picture)
        values = _row(picture)
        channels, height, width = latent.shape
        values |= {
            "latent": latent.astype("<f4").tobytes(),
            "latent_channels": channels,
            "latent_height": height,
            "latent_width": width,
        }
        if is_drawn(picture.request.sha256, self._share):
            again = in_fixed_batches(self._decoded, latent[None], self._shape)
            decoded = to_pixels(again)[0]
            values |= {"psnr": psnr(picture.pixels, decoded), "preview": _webp(decoded)}
        return values

    def _encoded(self, batch: np.ndarray) -> np.ndarray:
        return self._vae.encode(torch.from_numpy(batch)).numpy()

    def _decoded(self, batch: np.ndarray) -> np.ndarray:
        return self._vae.decode(torch.from_numpy(batch)).numpy()


def is_drawn(sha256: str, share: float) -> bool:
    """Whether an image is in the sample that is decoded again: a draw by its hash alone."""
    return xxhash.xxh3_64_intdigest(f"latent sample/{sha256}".encode()) / 2**64 < share


def _row(picture: Picture) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(LATENT_SCHEMA)
    row |= {
        "sha256": picture.request.sha256,
        "bucket_width": picture.request.bucket_width,
        "bucket_height": picture.request.bucket_height,
        "status": picture.status,
        "error": picture.error,
    }
    if picture.crop is not None:
        crop = picture.crop
        row |= {
            "original_width": picture.size[0],
            "original_height": picture.size[1],
            "crop_left": crop.left,
            "crop_top": crop.top,
            "crop_right": crop.right,
            "crop_bottom": crop.bottom,
        }
    return row


def _webp(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=80)
    return buffer.getvalue()
