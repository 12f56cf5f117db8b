"""What prompts foretell of latents, with the true prompts and with prompts dealt anew.

The prompts have no part in the training of the network: only a ridge regression learns from them,
and that is solved exactly. A training with shuffled prompts is therefore that regression on
shuffled prompts beside the very same network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xxhash
from torch.nn import functional

from dataproc_assets.models.denoiser import Denoiser, shifted
from dataproc_assets.models.noise import noise
from dataproc_assets.models.prompt_words import prompt_words

AT_ONCE = 16  # noises and times that are computed at a time


@dataclass(frozen=True)
class Example:
    """An image: its latent in units of their deviation, [channels, height, width], its prompts."""

    image_id: str
    normal: torch.Tensor
    prompts: list[str]


@dataclass(frozen=True)
class Losses:
    """Mean squared errors of the velocity on an image that was not trained on.

    `shuffled` has one for each training with prompts dealt anew.
    """

    image_id: str
    none: float
    true: float
    shuffled: list[float]


class Foretelling:
    """The regression of coarse latents on prompts, over the examples of a training."""

    def __init__(self, model: Denoiser, examples: Sequence[Example]) -> None:
        config = model.config
        self._model = model
        self._ids = [example.image_id for example in examples]
        words = np.stack([_words(example.prompts, config.words) for example in examples])
        cells = np.stack([_cells(example.normal, config.grid) for example in examples])
        self.usual_words = words.mean(0)
        self.variance = float(cells.var(0).mean())
        self._cells = cells - cells.mean(0)
        self._solved = ridge(words - self.usual_words, config.ridge)

    def tell(self) -> None:
        """Put what the true prompts foretell into the model."""
        model = self._model
        model.usual_words.copy_(torch.from_numpy(self.usual_words))
        model.foretold.copy_(torch.from_numpy(self._solved @ self._cells))
        model.variance.fill_(self.variance)

    def cells(self, prompts: Sequence[str], shuffles: int) -> torch.Tensor:
        """float32 [1 + shuffles, prompts, cells]: by the true prompts, then by shuffled ones."""
        config = self._model.config
        words = prompt_words(prompts, config.words)
        beyond = np.where(words.any(1, keepdims=True), words - self.usual_words, 0)
        shares = beyond @ self._solved
        orders = (self._dealt(number) for number in range(shuffles))
        told = [shares @ self._cells, *(shares @ self._cells[order] for order in orders)]
        return torch.from_numpy(np.stack(told)).float()

    def _dealt(self, number: int) -> np.ndarray:
        """A permutation by hash: image i's prompts go to the image at place i of it."""
        salt = f"{self._model.config.seed}\0shuffle\0{number}\0"
        return np.argsort(
            [xxhash.xxh3_64_intdigest(f"{salt}{image}".encode()) for image in self._ids],
            kind="stable",
        )

    def losses(self, example: Example) -> Losses:
        """The model's errors on an image at noises and times that follow from its id.

        The velocity with a prompt is that without it minus a picture, so the error of each is the
        error without and a quadratic form of the picture.
        """
        model, config = self._model, self._model.config
        (height, width), size = example.normal.shape[-2:], example.normal.numel()
        time = shifted((torch.arange(config.draws) + 0.5) / config.draws, config.shift)
        share = model.share(time, height, width)
        told = errors(model, example, time)
        pull = torch.einsum("d,dchw->chw", share, told) / config.draws
        weight = share.square().mean()
        none = told.square().mean().item()
        changes = []
        for cells in self.cells(example.prompts, config.shuffles).unbind(1):
            pictures = model.spread(cells, height, width).flatten(1)
            change = weight * pictures.square().sum(1) - 2 * (pictures @ pull.flatten())
            changes.append(change / size)
        found = (none + torch.stack(changes).mean(0)).tolist()
        return Losses(example.image_id, none, found[0], found[1:])


def errors(model: Denoiser, example: Example, time: torch.Tensor) -> torch.Tensor:
    """What the velocity without a prompt is off by, at times [n]: [n, channels, height, width]."""
    normal = example.normal[None]
    noisy = noise((len(time), *normal.shape[1:]), model.config.seed, "held out", example.image_id)
    at = time[:, None, None, None]
    with torch.inference_mode():
        mixed = ((1 - at) * normal + at * noisy).split(AT_ONCE)
        velocity = [model(some, t) for some, t in zip(mixed, time.split(AT_ONCE), strict=True)]
    return torch.cat(velocity) - (noisy - normal)


def ridge(features: np.ndarray, strength: float) -> np.ndarray:
    """float64 [d, n]: what, times targets [n, k], is the ridge regression on features [n, d].

    Features are taken in units of their root mean square length, so that a strength means the
    same for long prompts and short ones.
    """
    rows = features.astype(np.float64)
    square = (rows**2).sum(1).mean()
    if square == 0:
        return np.zeros(rows.T.shape)
    strength *= square
    if rows.shape[0] < rows.shape[1]:
        inner = rows @ rows.T + strength * np.eye(rows.shape[0])
        return np.linalg.solve(inner, rows).T
    inner = rows.T @ rows + strength * np.eye(rows.shape[1])
    return np.linalg.solve(inner, rows.T)


def _words(prompts: Sequence[str], size: int) -> np.ndarray:
    """The mean over an image's prompts."""
    return prompt_words(prompts, size).mean(0)


def _cells(normal: torch.Tensor, grid: int) -> np.ndarray:
    return functional.adaptive_avg_pool2d(normal[None], grid).flatten().numpy().astype(np.float64)
