"""What the frozen lower stages of the image trunk see in every training picture, in a cache.

    python -m training.features --material DIR --checkpoint efficientnet-lite0.pth --cache DIR

Writes `clipart.parquet` (a row a picture) and float16 arrays [pictures, 112, 14, 14], one a learned
view: `clipart.{view}.npy`.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.command import ask_paths
from training.efficientnet import load_trunk, lower_stages
from training.material import clipart, flatten
from training.views import LEARNED, VIEWS, pixels

BLOCK = 64
LARGEST = 1024  # pixels of the longer side; the trunk sees 224


def _one_block(checkpoint: Path, paths: list[Path]) -> list[np.ndarray]:
    torch.set_num_threads(1)
    trunk = load_trunk(checkpoint)
    found: list[list[torch.Tensor]] = [[] for _ in LEARNED]
    with torch.inference_mode():
        for path in paths:
            image = flatten(path)
            image.thumbnail((LARGEST, LARGEST), Image.Resampling.BICUBIC, reducing_gap=3.0)
            for rows, view in zip(found, LEARNED, strict=True):
                rows.append(lower_stages(trunk, pixels(VIEWS[view](image, path.name))).half())
    return [torch.cat(rows).numpy() for rows in found]


def _blocks(checkpoint: Path, paths: list[Path]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """The first row and the arrays of each block of pictures, in order."""
    blocks = [paths[start : start + BLOCK] for start in range(0, len(paths), BLOCK)]
    # Two processes of one thread each: threads of one pool wait for each other on a busy machine.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        work = partial(_one_block, checkpoint)
        for index, block in enumerate(workers.map(work, blocks)):
            yield index * BLOCK, block
            print(f"{index + 1} of {len(blocks)} blocks", flush=True)


def extract(cache: Path, checkpoint: Path, paths: list[Path]) -> None:
    """Writes the arrays `clipart.{view}.npy` of these pictures."""
    arrays = [
        np.lib.format.open_memmap(
            cache / f"clipart.{view}.npy", "w+", np.float16, (len(paths), 112, 14, 14)
        )
        for view in LEARNED
    ]
    for start, block in _blocks(checkpoint, paths):
        for array, rows in zip(arrays, block, strict=True):
            array[start : start + len(rows)] = rows
    for array in arrays:
        array.flush()


def main() -> None:
    """Runs the command in the module's first lines."""
    asked = ask_paths(__doc__, "material", "checkpoint", "cache")
    asked.cache.mkdir(parents=True, exist_ok=True)
    pictures = clipart(asked.material)
    pictures.write_parquet(asked.cache / "clipart.parquet")
    paths = [asked.material / path for path in pictures["path"]]
    extract(asked.cache, asked.checkpoint, paths)


if __name__ == "__main__":
    main()
