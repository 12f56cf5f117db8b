"""What the frozen lower stages of the image trunk see in every training picture, in a cache.

    python -m training.features --material DIR --checkpoint efficientnet-lite0.pth --cache DIR

Writes `clipart.parquet` (a row a picture) and float16 arrays [pictures, 112, 14, 14], one a view:
`clipart.{view}.npy`, and for the copies `probe.{view}.npy` and `novel.{view}.npy`.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.efficientnet import load_trunk, lower_stages
from training.material import clipart, flatten, novel
from training.views import COPIES, LEARNED, VIEWS, pixels

BLOCK = 64
LARGEST = 1024  # pixels of the longer side; the trunk sees 224


def _one_block(checkpoint: Path, paths: list[Path], views: list[str]) -> list[np.ndarray]:
    torch.set_num_threads(1)
    trunk = load_trunk(checkpoint)
    found: list[list[torch.Tensor]] = [[] for _ in views]
    with torch.inference_mode():
        for path in paths:
            image = flatten(path)
            image.thumbnail((LARGEST, LARGEST), Image.Resampling.BICUBIC, reducing_gap=3.0)
            for rows, view in zip(found, views, strict=True):
                rows.append(lower_stages(trunk, pixels(VIEWS[view](image, path.name))).half())
    return [torch.cat(rows).numpy() for rows in found]


def _blocks(
    checkpoint: Path, paths: list[Path], views: list[str]
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """The first row and the arrays of each block of pictures, in order."""
    blocks = [paths[start : start + BLOCK] for start in range(0, len(paths), BLOCK)]
    # Two processes of one thread each: threads of one pool wait for each other on a busy machine.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        work = partial(_one_block, checkpoint, views=views)
        for index, block in enumerate(workers.map(work, blocks)):
            yield index * BLOCK, block
            print(f"{index + 1} of {len(blocks)} blocks", flush=True)


def extract(cache: Path, name: str, checkpoint: Path, paths: list[Path], views: list[str]) -> None:
    """Writes the arrays `{name}.{view}.npy` of these pictures."""
    arrays = [
        np.lib.format.open_memmap(
            cache / f"{name}.{view}.npy", "w+", np.float16, (len(paths), 112, 14, 14)
        )
        for view in views
    ]
    for start, block in _blocks(checkpoint, paths, views):
        for array, rows in zip(arrays, block, strict=True):
            array[start : start + len(rows)] = rows
    for array in arrays:
        array.flush()


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    extract(asked.cache, "novel", asked.checkpoint, novel(asked.material), COPIES)
    pictures = clipart(asked.material)
    pictures.write_parquet(asked.cache / "clipart.parquet")
    paths = [asked.material / path for path in pictures["path"]]
    extract(asked.cache, "clipart", asked.checkpoint, paths, LEARNED)
    probe = pictures.filter(fold="unseen")["path"].to_list()[::3][:100]
    extract(asked.cache, "probe", asked.checkpoint, [asked.material / p for p in probe], COPIES)


if __name__ == "__main__":
    main()
