"""The tags of an image from all its sources and the tagger, each with its confidence."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from dataproc_assets.config.curation import MergeConfig
from dataproc_assets.transforms.merge_claims import UNITS, Merged, confidences
from dataproc_assets.transforms.merge_lists import (
    CATEGORIES,
    GENERAL,
    bounds,
    claims_of,
    source_names,
    tag_lists,
)
from dataproc_assets.transforms.merge_vocabulary import Vocabulary
from dataproc_assets.transforms.nested import nest, offsets_of, pick
from dataproc_assets.transforms.trust import Trust

SAYS = pl.Struct({"source": pl.String, "weight": pl.Float64, "said": pl.String})
TAG = pl.Struct(
    {
        "tag": pl.String,
        "category": pl.String,
        "confidence": pl.Float64,
        "sources": pl.List(SAYS),
    }
)


def merge_tags(rows: pl.DataFrame, images: int, merge: MergeConfig, trust: Trust) -> pl.DataFrame:
    """Confidence of each tag: 1 - product over sources of (1 - trust x p), to 6 decimals.

    Args:
        rows: source, `tags_{category}` list[str] and `tagger_tags` in any order; `tags_of` UInt32
            is the number of the image that a row's tags are said of, `tagged_of` that of its
            `tagger_tags`; null where they do not count. An image has one row a source.
        images: how many there are.
        merge: p per source, aliases, implications, and the confidence below which a tag loses.
        trust: how far each source's tags are believed; the tagger is one more source.

    Returns `tags` and `tags__losing` List(TAG), one row an image in the order of the numbers, by
    falling confidence, then tag. Tags are lower case with underscores. A category other than
    general outranks it, since sites without categories call every tag general; then the more
    trusted source's counts, then the first by name. An implied tag has the category of what
    implied it.
    """
    lists, words = tag_lists(rows, merge, trust)
    cuts = bounds(lists, images).tolist()

    def part(first: int, last: int) -> tuple[Merged, Merged]:
        claims = claims_of(lists, first, last)
        kept, losing = confidences(claims, words, GENERAL, merge.tag_confidence_min)
        return kept._replace(image=kept.image + first), losing._replace(image=losing.image + first)

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        parts = list(pool.map(part, cuts[:-1], cuts[1:]))
    sources = pl.Series("source", source_names(trust))
    kept, losing = zip(*parts, strict=True)
    return pl.DataFrame(
        [
            _nested("tags", kept, images, words, sources),
            _nested("tags__losing", losing, images, words, sources),
        ]
    )


def _nested(
    name: str, parts: Sequence[Merged], images: int, words: Vocabulary, sources: pl.Series
) -> pl.Series:
    """The column of tags as texts."""
    merged = Merged(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    says = pl.DataFrame(
        {
            "source": pick(sources, merged.source),
            "weight": pl.Series(merged.weight, dtype=pl.Float64),
            "said": words.said.gather(pl.Series(merged.reading)),
        }
    ).to_struct("sources")
    tags = pl.DataFrame(
        {
            "tag": pick(words.names, merged.tag),
            "category": pick(pl.Series(CATEGORIES), merged.category),
            "confidence": merged.units / UNITS,
            "sources": nest(says, offsets_of(merged.said_by)),
        }
    ).to_struct(name)
    return nest(tags, offsets_of(np.bincount(merged.image, minlength=images)))
