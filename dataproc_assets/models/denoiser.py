"""A small rectified-flow denoiser: a transformer over patches, and what prompts foretell.

The network estimates the velocity from image to noise and sees no prompt. What a prompt tells is
a coarse picture, the ridge regression of latents on tags, which is drawn out of the velocity where
the noise hides what it would tell: a few hundred pictures suffice for that, while a network that
is itself conditioned learns from so few to tell prompts apart and nothing that holds for others.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from dataproc_assets.config.denoiser import DenoiserConfig

FREQUENCIES = 8  # of a position
TIMES = 16  # frequencies of a time
FASTEST = 50.0  # radians over the whole of time
INNER, REFINED = 8, 24  # channels between the transformer and the latent


class Block(nn.Module):
    """Attention and a perceptron, scaled and shifted by the time."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.normed = nn.LayerNorm(width, elementwise_affine=False)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.modulation = zeroed(nn.Linear(width, 6 * width))

    def forward(self, tokens: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Tokens [n, tokens, width], time [n, width]."""
        n, count, width = tokens.shape
        scale, shift, gate, scale2, shift2, gate2 = self.modulation(time)[:, None].chunk(6, -1)
        inner = self.normed(tokens) * (1 + scale) + shift
        heads = self.query_key_value(inner).view(n, count, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + gate * self.attended(found.transpose(1, 2).reshape(n, count, width))
        inner = self.normed(tokens) * (1 + scale2) + shift2
        return tokens + gate2 * self.down(functional.silu(self.up(inner)))


class Denoiser(nn.Module):
    """The network, the latents' mean and deviation, and what prompts foretell.

    Latents are float32 [n, channels, height, width], in units of their deviation from the mean;
    `normal` and `latents` turn them to and fro. Time is 0 at the image and 1 at the noise.
    """

    mean: torch.Tensor
    deviation: torch.Tensor
    usual_words: torch.Tensor
    foretold: torch.Tensor
    variance: torch.Tensor

    def __init__(self, config: DenoiserConfig, channels: int) -> None:
        super().__init__()
        self.config, self.channels = config, channels
        width, patch, grid = config.width, config.patch, config.grid
        self.patches = nn.Linear(channels * patch**2, width)
        self.places = nn.Linear(4 * FREQUENCIES, width)
        self.time = nn.Sequential(nn.Linear(2 * TIMES, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.depth))
        self.normed = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = zeroed(nn.Linear(width, 2 * width))
        self.unpatched = nn.Linear(width, INNER * patch**2)
        self.first = nn.Conv2d(INNER + channels, REFINED, 3, padding=1)
        self.second = nn.Conv2d(REFINED, REFINED, 3, padding=1)
        self.last = zeroed(nn.Conv2d(REFINED, channels, 3, padding=1))
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("deviation", torch.ones(channels, 1, 1))
        self.register_buffer("usual_words", torch.zeros(config.words))
        self.register_buffer("foretold", torch.zeros(config.words, channels * grid**2))
        self.register_buffer("variance", torch.ones(()))

    def normal(self, latents: torch.Tensor) -> torch.Tensor:
        """Unscaled latents in units of their deviation."""
        return (latents - self.mean) / self.deviation

    def latents(self, normal: torch.Tensor) -> torch.Tensor:
        """What `normal` was made of."""
        return normal * self.deviation + self.mean

    def forward(self, noisy: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """The velocity without a prompt, noise minus image, of latents at times [n]."""
        n, channels, height, width = noisy.shape
        patch = self.config.patch
        rows, columns = height // patch, width // patch
        cut = noisy.view(n, channels, rows, patch, columns, patch).permute(0, 2, 4, 1, 3, 5)
        tokens = self.patches(cut.reshape(n, rows * columns, -1))
        tokens = tokens + self.places(_places(rows, columns, noisy))
        told = functional.silu(self.time(_times(time)))
        for block in self.blocks:
            tokens = block(tokens, told)
        scale, shift = self.modulation(told)[:, None].chunk(2, -1)
        flat = self.unpatched(self.normed(tokens) * (1 + scale) + shift)
        laid = flat.view(n, rows, columns, INNER, patch, patch).permute(0, 3, 1, 4, 2, 5)
        inner = torch.cat([noisy, laid.reshape(n, INNER, height, width)], 1)
        inner = functional.silu(self.first(inner))
        return self.last(inner + functional.silu(self.second(inner)))

    def picture(self, words: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """What prompts foretell beyond the mean, [n, channels, height, width], of words [n, words].

        A prompt without words foretells nothing.
        """
        known = words.any(1, keepdim=True)
        cells = torch.where(known, words - self.usual_words, 0) @ self.foretold
        return self.spread(cells, height, width)

    def spread(self, cells: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Cells [n, channels * grid * grid] laid over a latent, [n, channels, height, width]."""
        grid = self.config.grid
        square = cells.view(-1, self.channels, grid, grid)
        return functional.interpolate(square, (height, width), mode="bilinear")

    def share(self, time: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """How much of a foretold picture counts at times [n]: all in noise, nothing in an image.

        Of a cell one sees the mean of its positions, whose noise is the less the more they are:
        Wiener's rule for two sightings of it.
        """
        positions = height * width / self.config.grid**2
        seen = positions * self.variance * (1 - time) ** 2
        return time**2 / (time**2 + seen)

    def velocity(
        self, noisy: torch.Tensor, time: torch.Tensor, words: torch.Tensor, guidance: float
    ) -> torch.Tensor:
        """The velocity with prompts; `guidance` 0 is without, 1 the prompts' own."""
        height, width = noisy.shape[-2:]
        told = self.share(time, height, width)[:, None, None, None]
        return self(noisy, time) - guidance * told * self.picture(words, height, width)


def zeroed(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """The layer with nothing but zeros, so that what it is added to begins unchanged."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def shifted(uniform: torch.Tensor, shift: float) -> torch.Tensor:
    """Times of which, the larger `shift`, the more lie near the noise; 0 and 1 stay."""
    return shift * uniform / (1 + (shift - 1) * uniform)


def _places(rows: int, columns: int, like: torch.Tensor) -> torch.Tensor:
    """[1, rows * columns, 4 * FREQUENCIES]: where a patch lies, by shares of height and width."""
    waves = torch.arange(1, FREQUENCIES + 1, device=like.device, dtype=like.dtype) * math.pi
    found = []
    for count in (rows, columns):
        along = (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count
        angles = along[:, None] * waves
        found.append(torch.cat([angles.cos(), angles.sin()], 1))
    down, across = found
    size = (rows, columns, 2 * FREQUENCIES)
    both = torch.cat([down[:, None].expand(size), across[None].expand(size)], 2)
    return both.reshape(1, rows * columns, -1)


def _times(time: torch.Tensor) -> torch.Tensor:
    """[n, 2 * TIMES]."""
    waves = torch.logspace(0, math.log10(FASTEST), TIMES, device=time.device, dtype=time.dtype)
    angles = time[:, None] * waves
    return torch.cat([angles.cos(), angles.sin()], 1)
