"""Dropping tags of a prompt at random, by hash draws, as Illustrious XL does."""

from itertools import accumulate

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.config.recipes import DropoutConfig, RecipeConfig
from dataproc_assets.transforms.draws import draw, hash64
from dataproc_assets.transforms.units import Units, Words


def dropped_out(prompts: Units, names: pl.DataFrame, words: Words, recipe: RecipeConfig) -> Units:
    """The units that stay; those of prompts that no rule drew are untouched.

    A rule's limit counts all tags of the prompt; protected ones are the first to stay, and stay
    even over the limit. `names` are the prompts' image_id and variant, on which the draws depend.
    """
    if not recipe.dropout:
        return prompts
    named = names.select(
        pl.concat_str("image_id", pl.col("variant").cast(pl.String), separator="/").alias("name")
    )
    which = named.select(draw(recipe.seed, pl.col("name"), pl.lit("dropout")))["name"].to_numpy()
    bounds = np.array(list(accumulate(rule.share for rule in recipe.dropout)))
    rule = np.searchsorted(bounds, which, side="right")
    tags = prompts.each(np.array([group.kind == "tags" for group in recipe.groups]))
    prompt = np.repeat(np.arange(len(names)), np.diff(prompts.offsets))
    hit = np.flatnonzero(tags & (rule < len(bounds))[prompt])
    owner, word = prompt[hit], prompts.word[hit]
    own = named.select(hash64(recipe.seed, pl.col("name")))["name"].to_numpy()
    # prompt, protection and draw in one number; a stable sort, in case two draws are one
    lot = _mixed(own[owner] ^ words.hashes[word]) >> np.uint64(25)
    protected = prompts.each(np.array([group.protected for group in recipe.groups]))
    free = ~(words.is_protected[word] | protected[hit])
    key = (owner.astype(np.uint64) << np.uint64(40)) | (free.astype(np.uint64) << np.uint64(39))
    order = np.argsort(key | lot, kind="stable")
    sizes = np.bincount(owner, minlength=len(names))
    nth = np.empty(len(hit), np.int64)
    nth[order] = np.arange(len(hit)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    limits = np.zeros(len(names), np.int64)
    for number, one in enumerate(recipe.dropout):
        limits = np.where(rule == number, _limit(one, sizes), limits)
    stays = np.ones(len(prompt), np.bool_)
    stays[hit] = ~free | (nth < limits[owner])
    return prompts.only(stays)


def _limit(rule: DropoutConfig, tags: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of so many tags a rule keeps."""
    if rule.keep_max is not None:
        return np.full(len(tags), rule.keep_max, np.int64)
    # per mille in whole numbers: 0.3 x 10 is 3, not the float just above it
    mille = round((rule.keep_share or 0.0) * 1000)
    return np.maximum((tags * mille + 999) // 1000, rule.keep_min or 0)


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Even hashes out of hashes that were put together: the finaliser of SplitMix64.

    Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014, after Stafford's
    variant 13.
    """
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
