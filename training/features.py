"""Trunk features of every training picture and of one altered copy, kept in a cache file.

python -m training.features --material DIR --checkpoint efficientnet-lite0.pth --cache DIR
"""

import argparse
import io
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.efficientnet import load_trunk
from training.material import clipart, flatten, novel

SIDE = 224


def pixels(image: Image.Image) -> torch.Tensor:
    """The tower's input, float32 1x3x224x224 in [-1, 1]: the whole picture, squashed."""
    square = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0)
    array = np.asarray(square, np.float32) / 127.5 - 1
    return torch.from_numpy(array.transpose(2, 0, 1)[None].copy())


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The picture after one JPEG round trip."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def shrunk(image: Image.Image, scale: float) -> Image.Image:
    """The picture at `scale` times its sides."""
    width, height = image.size
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def cropped(image: Image.Image, share: float) -> Image.Image:
    """The picture without `share` of its width and height at each edge."""
    width, height = image.size
    dx, dy = round(width * share), round(height * share)
    return image.crop((dx, dy, width - dx, height - dy))


def altered(image: Image.Image, name: str) -> Image.Image:
    """A copy as another site would keep it: edges cut, smaller, re-encoded; drawn from the name."""
    draw = np.random.default_rng(int.from_bytes(sha256(name.encode()).digest()[:8], "big"))
    width, height = image.size
    left, top, right, bottom = draw.uniform(0, 0.03, 4)
    image = image.crop(
        (
            round(width * left),
            round(height * top),
            round(width * (1 - right)),
            round(height * (1 - bottom)),
        )
    )
    image = shrunk(image, draw.uniform(0.5, 1))
    return jpeg(image, int(draw.integers(60, 96)))


def original(image: Image.Image, name: str) -> Image.Image:
    """The picture itself."""
    return image


COPIES: dict[str, Callable[[Image.Image, str], Image.Image]] = {
    "original": original,
    "altered": altered,
    "jpeg_q85": lambda image, name: jpeg(image, 85),
    "resized_0.6": lambda image, name: shrunk(image, 0.6),
    "cropped_2%": lambda image, name: cropped(image, 0.02),
    "cropped_2%_resized_0.6_q80": lambda image, name: jpeg(shrunk(cropped(image, 0.02), 0.6), 80),
}


def _one_block(checkpoint: Path, paths: list[Path], copies: list[str]) -> list[np.ndarray]:
    torch.set_num_threads(1)
    trunk = load_trunk(checkpoint)
    found: list[list[torch.Tensor]] = [[] for _ in copies]
    with torch.inference_mode():
        for path in paths:
            image = flatten(path)
            for rows, copy in zip(found, copies, strict=True):
                maps = trunk.forward_features(pixels(COPIES[copy](image, path.name)))  # type: ignore[operator]
                rows.append(trunk.forward_head(maps, pre_logits=True))  # type: ignore[operator]
    return [torch.cat(rows).numpy() for rows in found]


def extract(checkpoint: Path, paths: list[Path], copies: list[str]) -> dict[str, np.ndarray]:
    """Pooled features, float32 [pictures, 1280], for each named copy."""
    blocks = [paths[start : start + 128] for start in range(0, len(paths), 128)]
    done = []
    # Two processes of one thread each: threads of one pool wait for each other on a busy machine.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        for block in workers.map(partial(_one_block, checkpoint, copies=copies), blocks):
            done.append(block)
            print(f"{len(done)} of {len(blocks)} blocks", flush=True)
    columns = zip(*done, strict=True)
    return {copy: np.concatenate(c) for copy, c in zip(copies, columns, strict=True)}


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    sprites = novel(asked.material)
    np.savez(
        asked.cache / "novel.npz",
        names=[p.stem for p in sprites],
        **extract(asked.checkpoint, sprites, list(COPIES)),
    )
    pictures = clipart(asked.material)
    pictures.write_parquet(asked.cache / "clipart.parquet")
    probe = pictures.filter(fold="unseen")["path"].to_list()[::3][:100]
    np.savez(
        asked.cache / "probe.npz",
        names=probe,
        **extract(asked.checkpoint, [asked.material / p for p in probe], list(COPIES)),
    )
    paths = [asked.material / path for path in pictures["path"]]
    np.savez(
        asked.cache / "clipart.npz", **extract(asked.checkpoint, paths, ["original", "altered"])
    )


if __name__ == "__main__":
    main()
