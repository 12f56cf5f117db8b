"""Drawn pictures, their altered copies, and the packaged configurations, for tests of models."""

import hashlib
import io
from importlib.resources import files

import numpy as np
import yaml
from PIL import Image, ImageDraw
from pydantic import TypeAdapter

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.models.base import DecodedImage

METRIC: TypeAdapter[MetricConfig] = TypeAdapter(MetricConfig)
CONF = files("dataproc_assets") / "conf"


def metric(name: str) -> MetricConfig:
    """A packaged metric's configuration."""
    return METRIC.validate_python(yaml.safe_load((CONF / "metrics" / f"{name}.yaml").read_text()))


def vae() -> VaeConfig:
    """The packaged autoencoder's configuration."""
    return VaeConfig.model_validate(yaml.safe_load((CONF / "vaes" / "demo.yaml").read_text()))


def scene(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """A sky of two colours with a hill and some outlined shapes, drawn from the seed."""
    draw = np.random.default_rng(seed)
    low, high = draw.integers(60, 256, (2, 3))
    rise = np.linspace(0, 1, height)[:, None, None]
    sky = np.broadcast_to(low * rise + high * (1 - rise), (height, width, 3))
    image = Image.fromarray(sky.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    hill = [
        (0, height),
        *((x, int(height * draw.uniform(0.4, 0.9))) for x in range(0, width, 40)),
        (width, height),
    ]
    pen.polygon(hill, fill=tuple(draw.integers(0, 200, 3).tolist()), outline="black")
    for _ in range(5):
        x, y = draw.integers(0, width - 60), draw.integers(0, height - 60)
        w, h = draw.integers(30, 90, 2)
        shape = pen.ellipse if draw.integers(2) else pen.rectangle
        shape(
            (x, y, x + w, y + h),
            fill=tuple(draw.integers(0, 256, 3).tolist()),
            outline="black",
            width=3,
        )
    return image


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The picture after a JPEG round trip."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def decoded(image: Image.Image) -> DecodedImage:
    """A picture as the decoder would give it from a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    content = file.getvalue()
    return DecodedImage(
        image=image,
        width=image.width,
        height=image.height,
        sha256=hashlib.sha256(content).hexdigest(),
        md5=hashlib.md5(content).hexdigest(),
        n_bytes=len(content),
        format="PNG",
        frames=1,
        alpha_share=0.0,
    )
