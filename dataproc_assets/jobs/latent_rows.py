"""The rows of a latent part: a picture's latent, how it was cut, and a sample's reconstruction."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal

import numpy as np
import polars as pl
import xxhash
from PIL import Image

from dataproc_assets.jobs.cut import psnr
from dataproc_assets.models.pending import Pending
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
    noise: np.ndarray | None = None


class LatentRows:
    """The rows of one unit's part as they come. `seconds` is what the VAE has taken so far."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.seconds = 0.0
        self.not_finite = 0
        self._frames: list[pl.DataFrame] = []
        self._previews: list[tuple[str, int, int, float, bytes]] = []

    def add_lost(self, picture: Picture) -> None:
        """A picture that there is none of."""
        self._add([_row(picture)])

    def add_encoded(self, pictures: list[Picture], latents: Pending) -> None:
        """Pictures and their latents, which are waited for."""
        rows = [self._encoded(*pair) for pair in zip(pictures, latents.wait(), strict=True)]
        self.seconds += latents.seconds
        self._add(rows)

    def add_decoded(self, pictures: list[Picture], decoded: Pending) -> None:
        """Pictures and their reconstructions, which are waited for: PSNR and preview."""
        for picture, again in zip(pictures, decoded.wait(), strict=True):
            request = picture.request
            found = (psnr(picture.pixels, again), _webp(again))
            self._previews.append((request.sha256, *request.bucket, *found))
        self.seconds += decoded.seconds

    def frame(self) -> pl.DataFrame:
        """All rows, by LATENT_SCHEMA, sorted by bucket and sha256."""
        columns = [name for name in LATENT_SCHEMA if name not in ("psnr", "preview")]
        key = ["sha256", "bucket_width", "bucket_height"]
        types = {name: LATENT_SCHEMA[name] for name in (*key, "psnr", "preview")}
        previews = pl.DataFrame(self._previews, schema=types, orient="row")
        frame = pl.concat([LATENT_SCHEMA.to_frame(), *self._frames]).select(columns)
        frame = frame.join(previews, on=key, how="left", maintain_order="left")
        ok = pl.col("status") == "ok"
        return frame.select(
            *columns, *(pl.when(ok).then(pl.col(name)).alias(name) for name in ("psnr", "preview"))
        ).sort("bucket_width", "bucket_height", "sha256")

    def _add(self, rows: list[dict[str, Any]]) -> None:
        # A frame a batch: one of a whole unit's rows would hold the interpreter for long.
        self._frames.append(pl.DataFrame(rows, schema=LATENT_SCHEMA, orient="row"))

    def _encoded(self, picture: Picture, latent: np.ndarray) -> dict[str, Any]:
        row = _row(picture)
        if not np.isfinite(latent).all():
            self.not_finite += 1
            return row | {
                "status": "failed",
                "error": "not_finite: the VAE gave NaN or infinity",
            }
        channels, height, width = latent.shape
        return row | {
            "latent": latent.astype("<f4").tobytes(),
            "latent_channels": channels,
            "latent_height": height,
            "latent_width": width,
        }


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
