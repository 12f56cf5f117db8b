"""Draws for a denoiser that follow from names alone, whatever was drawn before."""

import torch
import xxhash


def generator(*names: object) -> torch.Generator:
    """A generator on the CPU whose numbers follow from the hash of the names."""
    text = "\0".join(map(str, names))
    seed = xxhash.xxh3_64_intdigest(text.encode()) >> 1
    return torch.Generator().manual_seed(seed)


def noise(shape: tuple[int, ...], *names: object) -> torch.Tensor:
    """Standard normal float32 of a shape."""
    return torch.randn(shape, generator=generator(*names))
