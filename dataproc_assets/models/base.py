"""What a model is: a backbone that turns pictures into numbers, and a reading of those numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from PIL import Image


@dataclass(frozen=True)
class DecodedImage:
    """A picture and the facts of its file.

    `image` is RGB, upright after EXIF, with transparent parts on white; `width` and `height`
    are its size in pixels; `sha256` and `md5` are hex digests of the file's bytes; `format` is
    Pillow's name of it; `frames` counts an animation's pictures (1 for a still);
    `alpha_share` is the share of pixels that are not opaque, in 0..1.
    """

    image: Image.Image
    width: int
    height: int
    sha256: str
    md5: str
    n_bytes: int
    format: str
    frames: int
    alpha_share: float


class Backbone(Protocol):
    """The dear part of a model, shared by all metrics that stand on it."""

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """One picture's input: the same shape and dtype for every picture. Thread-safe."""
        ...

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Outputs of stacked inputs, one row an input; a row never depends on its neighbours."""
        ...


Reading = Callable[[np.ndarray], pl.DataFrame]
"""A metric's columns from its backbone's outputs, one row an output."""


@dataclass(frozen=True)
class Model:
    """A metric ready to run. `columns` names and types what `forward` returns, in order."""

    name: str
    backbone: Backbone
    columns: pl.Schema
    read: Reading
    batch_size: int

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """One picture's input. Called in reader threads."""
        return self.backbone.preprocess(image)

    def forward(self, inputs: Sequence[np.ndarray]) -> pl.DataFrame:
        """The metric's columns, one row an input, in order; any number of inputs."""
        if not inputs:
            return pl.DataFrame(schema=self.columns)
        return self.tabulate(self.backbone.run(np.stack(inputs)))

    def tabulate(self, outputs: np.ndarray) -> pl.DataFrame:
        """The metric's columns from its backbone's outputs, one row an output.

        A row with an output, or a value, that is NaN or infinite has no value at all: each of its
        columns is null, which no sound row is.
        """
        values = self.read(outputs).select(
            pl.col(name).cast(dtype) for name, dtype in self.columns.items()
        )
        sound = pl.Series(_finite_rows(outputs))
        floats = [name for name, dtype in self.columns.items() if dtype == pl.Float32]
        for name in floats:
            sound &= values[name].is_finite().fill_null(True)
        if sound.all():
            return values
        return values.select(pl.when(sound).then(pl.col(name)).alias(name) for name in self.columns)


def _finite_rows(outputs: np.ndarray) -> np.ndarray:
    if outputs.dtype.kind != "f":
        return np.ones(len(outputs), bool)
    return np.array([np.isfinite(row).all() for row in outputs], bool)


def in_fixed_batches(
    run: Callable[[np.ndarray], np.ndarray], batch: np.ndarray, size: int
) -> np.ndarray:
    """`run` over blocks of exactly `size` rows, the last one padded with zeros and cut again.

    Libraries choose their kernels by shape, so a row's last bits could depend on how many rows
    travel with it; with one shape they cannot.
    """
    outputs = []
    for start in range(0, len(batch), size):
        block = batch[start : start + size]
        short = size - len(block)
        if short:
            block = np.concatenate([block, np.zeros((short, *block.shape[1:]), block.dtype)])
        outputs.append(run(block)[: size - short])
    return np.concatenate(outputs)
