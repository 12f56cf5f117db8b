"""The text tower of an open_clip model: words in, a unit embedding out."""

import numpy as np
import open_clip
import torch

from dataproc_assets.config.encoders import Encoder
from dataproc_assets.models.encoder import load_clip


class TextTower:
    """Embeds words where the pictures' embeddings lie. On the CPU, in float32."""

    def __init__(self, encoder: Encoder, where: str) -> None:
        """Load the model; `where` is the YAML that asks, for messages.

        Raises:
            WeightsError: a file is missing or another one, or does not fit.
        """
        model = load_clip(encoder, where)
        del model.visual
        self._encode = model.encode_text
        self._tokens = open_clip.SimpleTokenizer(context_length=model.context_length)

    def __call__(self, words: str) -> np.ndarray:
        """float32 (d,) of unit norm. Words beyond the tower's positions are not read."""
        with torch.inference_mode():
            embedded = self._encode(self._tokens([words]))[0].double()
        return torch.nn.functional.normalize(embedded, dim=-1).numpy().astype(np.float32)
