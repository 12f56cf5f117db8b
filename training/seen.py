"""What the shipped models say of pictures, through the package's own decoder and loader."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from dataproc_assets.config.metrics import Tagger
from dataproc_assets.config.project import Project
from dataproc_assets.jobs.decode import decode
from dataproc_assets.models.base import DecodedImage
from dataproc_assets.models.load import Pass, load_pass

BLOCK = 64


class Models:
    """Metrics of the configuration, ready to look at pictures one by one."""

    def __init__(self, project: Project, names: Sequence[str]) -> None:
        self._decode = project.profile.decode
        metrics = [project.metrics[name] for name in names]
        # A tag that is left out for its low p could not be ranked.
        self._pass: Pass = load_pass(
            [
                m.model_copy(update={"floors": dict.fromkeys(m.floors, 0.0)})
                if isinstance(m, Tagger)
                else m
                for m in metrics
            ]
        )

    def read(self, path: Path) -> DecodedImage:
        """A file, decoded as a pass decodes it."""
        return decode(path.read_bytes(), self._decode, self._decode.jpeg_side)

    def look(self, pictures: Iterable[DecodedImage]) -> pl.DataFrame:
        """All columns of the metrics, one row a picture."""
        frames, block = [], []
        for picture in pictures:
            block.append(self._pass.preprocess(picture))
            if len(block) == BLOCK:
                frames.append(self._columns(block))
                block = []
        frames.append(self._columns(block))
        return pl.concat(frames)

    def look_at_files(self, paths: Iterable[Path]) -> pl.DataFrame:
        """All columns of the metrics, one row a file."""
        return self.look(self.read(path) for path in paths)

    def _columns(self, block: list[list[np.ndarray]]) -> pl.DataFrame:
        return pl.concat(self._pass.forward(block).values(), how="horizontal")


def shown(picture: DecodedImage, image: Image.Image) -> DecodedImage:
    """A picture with another image in its place."""
    return replace(picture, image=image, width=image.width, height=image.height)


def embeddings(frame: pl.DataFrame) -> np.ndarray:
    """float32 [n, dimensions] of the column `clip_embedding`."""
    return frame["clip_embedding"].to_numpy().astype(np.float32)
