"""A small crawl of real pictures on disk, and the tables that a release is made of."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from dataproc_assets.config.releases import ReleaseConfig

RECIPES = ["animagine", "illustrious"]


@dataclass(frozen=True)
class Crawl:
    images: pl.DataFrame
    sanitized: dict[str, pl.DataFrame]
    addresses: pl.DataFrame


def release_config(**changes) -> ReleaseConfig:
    values = {
        "name": "small",
        "title": "A small release",
        "recipes": RECIPES,
        "seed": 7,
        "select": {"ratings": ["general", "sensitive"]},
        "shard": {"bytes_max": 1_000_000, "images_max": 3},
        "formats": ["parquet", "webdataset", "sd_scripts", "huggingface"],
        "licence": "other",
        "licence_note": "Each picture keeps the licence of its work.",
    }
    return ReleaseConfig.model_validate(values | changes)


def picture(number: int, width: int, height: int) -> Image.Image:
    """A gradient with a bar whose place depends on the number."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    pixels = np.stack([x * 255 / width, y * 255 / height, (x + y + number * 20) % 256], axis=-1)
    pixels[:, (number * 7) % width : (number * 7) % width + 5] = 255
    return Image.fromarray(pixels.astype(np.uint8))


def make_crawl(folder: Path, count: int = 12) -> Crawl:
    folder.mkdir(parents=True, exist_ok=True)
    images, addresses = [], []
    for number in range(count):
        width, height = [(160, 120), (96, 200), (128, 128)][number % 3]
        kind, ext = [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp")][number % 3]
        buffer = BytesIO()
        picture(number, width, height).save(buffer, kind)
        data = buffer.getvalue()
        path = folder / f"{number}.{ext}"
        path.write_bytes(data)
        source = "danbooru" if number % 2 else "pixiv"
        key = f"{source}/{number}" + ("" if number % 2 else "_p0")
        images.append(
            {
                "image_id": hashlib.md5(key.encode()).hexdigest(),
                "representative": key,
                "members": [key],
                "sources": [source],
                "sha256": hashlib.sha256(data).hexdigest(),
                "width": width,
                "height": height,
                "pixels": width * height,
                "year": 2015 + number % 4,
                "rating": ["general", "sensitive", "general", "explicit"][number % 4],
                "ai": "no",
                "artist": ["ada", "bo", None][number % 3],
                "title": f"Blåhaj {number}",
                "caption": "a picture",
                "tier": ["best", None][number % 2],
                "tags": [
                    {"tag": "1girl", "category": "general", "confidence": 0.9, "sources": [source]},
                    {"tag": "miku", "category": "character", "confidence": 0.8, "sources": []},
                ],
            }
        )
        addresses.append(
            {
                "image_key": key,
                "uri": str(path),
                "offset": None,
                "length": None,
                "size": len(data),
                "ext": ext,
            }
        )
    table = pl.DataFrame(images, schema_overrides={"width": pl.Int32, "height": pl.Int32})
    prompts = {
        recipe: pl.DataFrame(
            {
                "image_id": table["image_id"],
                "prompt": [f"{recipe} prompt, {title}" for title in table["title"]],
                "variant": pl.Series([0] * count, dtype=pl.Int32),
                "keep": [True] * count,
            }
        )
        for recipe in RECIPES
    }
    nulls = {"offset": pl.Int64, "length": pl.Int64}
    return Crawl(table, prompts, pl.DataFrame(addresses, schema_overrides=nulls))
