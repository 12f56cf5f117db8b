"""A prompt as the tags it is made of, hashed into a table: no vocabulary has to be kept."""

import re
from collections.abc import Sequence

import numpy as np
import xxhash

_BETWEEN = re.compile(r"\s*(?:\|\|\||,)\s*")


def prompt_tags(prompt: str) -> set[str]:
    """What stands between a prompt's commas and its `|||`."""
    return {tag for tag in _BETWEEN.split(prompt.strip().lower()) if tag}


def prompt_words(prompts: Sequence[str], size: int) -> np.ndarray:
    """float32 [prompts, size]: 1 / sqrt(tags) for each tag of a prompt, at its hash's place.

    Two tags may share a place. A prompt without a tag is all zero.
    """
    found = np.zeros((len(prompts), size), np.float32)
    for row, prompt in enumerate(prompts):
        tags = prompt_tags(prompt)
        for tag in tags:
            found[row, xxhash.xxh3_64_intdigest(tag.encode()) % size] += len(tags) ** -0.5
    return found
