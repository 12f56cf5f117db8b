"""What the trainings read of the cache that `training.features` and `training.texts` wrote."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from open_clip import SimpleTokenizer

from training.views import LEARNED


@dataclass(frozen=True)
class Pictures:
    """The pictures' rows, and the lower stages' maps of each view, float16 [n, 112, 14, 14]."""

    rows: pl.DataFrame
    views: dict[str, np.ndarray]

    def of(self, fold: str) -> np.ndarray:
        """Row numbers of a fold."""
        return np.flatnonzero(self.rows["fold"].eq(fold).to_numpy())

    def maps(self, view: str, rows: np.ndarray) -> torch.Tensor:
        """float32 [len(rows), 112, 14, 14], in the layout that convolutions are fastest on."""
        array = torch.from_numpy(np.asarray(self.views[view][rows])).float()
        return array.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Texts:
    """Tokens int64 [texts, context], the teacher's unit vectors float32 [texts, 384], captions.

    `captions` [pictures, captions a picture] are rows of the other two; `words` are the rows that
    belong to no picture.
    """

    tokens: torch.Tensor
    teacher: torch.Tensor
    captions: torch.Tensor
    words: np.ndarray


def read_pictures(cache: Path) -> Pictures:
    """Every row with its learned views."""
    views = {view: np.load(cache / f"clipart.{view}.npy", mmap_mode="r") for view in LEARNED}
    return Pictures(pl.read_parquet(cache / "clipart.parquet"), views)


def read_texts(cache: Path, context: int) -> Texts:
    """Every caption and word, tokenized to `context` positions."""
    texts = pl.read_parquet(cache / "texts.parquet").with_row_index()
    captions = texts.filter(kind="caption").sort("picture", "index")
    pictures = captions["picture"].n_unique()
    return Texts(
        SimpleTokenizer(context_length=context)(texts["text"].to_list()),
        torch.from_numpy(texts["teacher"].to_numpy().astype(np.float32)),
        captions["index"].to_torch().long().reshape(pictures, -1),
        texts.filter(kind="word")["index"].cast(pl.Int64).to_numpy(),
    )
