"""The parts of the CLIP model that are trained, and how their embeddings begin."""

import numpy as np
import open_clip
import torch
from torch.nn.functional import normalize

from training.corpus import Pictures
from training.efficientnet import upper_stages

SEED = 0
TEACHER_SCALE = 20.0  # of cosines to the teacher, before a softmax
SOFT = 0.3  # the share of a target that goes to captions of the same meaning
# Near-duplicate search proposes pairs at a cosine of 0.97, which copies reach and unrelated
# pictures stay far from. Without the constant component copies reach LINE.
PROPOSED, LINE = 0.97, 0.90
CONSTANT = ((PROPOSED - LINE) / (1 - PROPOSED)) ** 0.5


@torch.no_grad()
def start_projection(projection: torch.nn.Linear, features: torch.Tensor) -> None:
    """The principal components of features [n, 1280], and the constant component."""
    mean = features.mean(0)
    _, sizes, axes = torch.linalg.svd(features - mean, full_matrices=False)
    kept = projection.out_features - 1
    power = (sizes[:kept].square().sum() / len(features)).sqrt()
    projection.weight[:kept] = axes[:kept] / power
    projection.bias.copy_(-projection.weight @ mean)
    hold_constant(projection)


@torch.no_grad()
def hold_constant(projection: torch.nn.Linear) -> None:
    """Put the last component back to what it is for every picture."""
    projection.weight[-1] = 0
    projection.bias[-1] = CONSTANT


class Images(torch.nn.Module):
    """The trainable part of the image tower: upper stages and projection."""

    def __init__(self, trunk: torch.nn.Module, projection: torch.nn.Linear) -> None:
        super().__init__()
        self.upper = upper_stages(trunk)
        self.projection = projection

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Unit vectors [n, dimensions] of maps [n, 112, 14, 14]."""
        return normalize(self.projection(self.upper(maps)), dim=-1)

    @torch.no_grad()
    def features(self, pictures: Pictures, rows: np.ndarray, view: str) -> torch.Tensor:
        """float32 [len(rows), 1280] of a view, in blocks that fit the memory."""
        blocks = np.array_split(rows, max(1, len(rows) // 128))
        return torch.cat([self.upper(pictures.maps(view, block)) for block in blocks])

    @torch.no_grad()
    def embed(self, pictures: Pictures, rows: np.ndarray, view: str = "original") -> torch.Tensor:
        """Unit vectors [len(rows), dimensions] of a view."""
        return normalize(self.projection(self.features(pictures, rows, view)), dim=-1)


def text_parameters(model: open_clip.CLIP) -> list[torch.nn.Parameter]:
    """All that is not the image tower's."""
    return [p for name, p in model.named_parameters() if not name.startswith("visual.")]


def target_of(taught: torch.Tensor) -> torch.Tensor:
    """What each picture of a batch should find, [n, n]: its caption, and others that mean the same.

    `taught` are the teacher's vectors [n, 384] of the captions.
    """
    alike = (TEACHER_SCALE * taught @ taught.T).softmax(-1)
    return SOFT * alike + (1 - SOFT) * torch.eye(len(taught))
