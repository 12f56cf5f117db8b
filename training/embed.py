"""The shipped encoder's embeddings of the cached pictures, and files made for that encoder."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip import SimpleTokenizer
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch.nn.functional import normalize

from training.efficientnet import upper_stages


class Encoder:
    """The CLIP model of a folder of weights, for maps of the lower stages and for texts."""

    def __init__(self, weights: Path) -> None:
        self.model = open_clip.CLIP(**json.loads((weights / "clip.json").read_text()))
        state = {k: t.float() for k, t in load_file(weights / "clip.safetensors").items()}
        self.model.load_state_dict(state, strict=True)
        self.model.eval()
        self.digest = sha256((weights / "clip.safetensors").read_bytes()).hexdigest()
        self._upper = upper_stages(self.model.visual.trunk)

    @torch.inference_mode()
    def pictures(self, maps: np.ndarray) -> np.ndarray:
        """float32 [n, dimensions], rounded to float16 as the metric stores them, of float16 maps.

        `maps` may be memory-mapped: it is read in blocks.
        """
        done = []
        for start in range(0, len(maps), 128):
            block = torch.from_numpy(np.asarray(maps[start : start + 128])).float()
            block = block.contiguous(memory_format=torch.channels_last)
            done.append(normalize(self.model.visual.head(self._upper(block)), dim=-1).half())
        return torch.cat(done).float().numpy()

    def save(self, path: Path, **tensors: np.ndarray) -> None:
        """Writes tensors, and the digest of the encoder that they were made for."""
        arrays = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
        save_file(arrays, path, {"encoder": self.digest})


@torch.inference_mode()
def text_embeddings(model: open_clip.CLIP, texts: list[str]) -> np.ndarray:
    """float32 [n, dimensions], of unit norm."""
    tokens = SimpleTokenizer(context_length=model.context_length)(texts)
    return normalize(model.encode_text(tokens), dim=-1).numpy()
