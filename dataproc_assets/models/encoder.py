"""An open_clip model as a backbone: pictures in, unit embeddings out."""

import json

import numpy as np
import open_clip
import torch
from safetensors.torch import load

from dataproc_assets.config.encoders import Encoder
from dataproc_assets.models.base import DecodedImage, in_fixed_batches
from dataproc_assets.models.images import to_input
from dataproc_assets.models.weights import read_verified


def load_clip(encoder: Encoder, where: str) -> open_clip.CLIP:
    """The open_clip model of a configuration, in float32 and evaluation mode, on the CPU."""
    architecture = json.loads(read_verified(encoder.architecture, f"{where}: encoder.architecture"))
    tensors = load(read_verified(encoder.weights, f"{where}: encoder.weights"))
    model = open_clip.CLIP(**architecture)
    model.load_state_dict({name: t.float() for name, t in tensors.items()}, strict=True)
    return model.eval()


class ClipEncoder:
    """Embeds pictures. On a CPU one at a time: that is faster there than batches, and exact."""

    def __init__(self, encoder: Encoder, where: str, device: str, batch_size: int) -> None:
        self._input = encoder.input
        self._model = load_clip(encoder, where).to(device)
        self._device = device
        self._batch_size = 1 if device == "cpu" else batch_size

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """float32 [3, side, side]."""
        return to_input(image.image, self._input)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """float16 [n, dimensions] of unit norm; what metrics read is what is stored."""
        return in_fixed_batches(self._embed, batch, self._batch_size)

    def _embed(self, block: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            embedding = self._model.encode_image(torch.from_numpy(block).to(self._device))
            unit = torch.nn.functional.normalize(embedding.double(), dim=-1)
        return unit.cpu().numpy().astype(np.float16)
