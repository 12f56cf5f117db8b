"""A written ground truth of duplicates, and how the clusters compare with it."""

from itertools import combinations
from pathlib import Path

import polars as pl
import yaml


def compare_duplicates(members: pl.DataFrame, truth: Path) -> dict[str, int]:
    """Pairs of the same picture that were found, missed, or joined wrongly.

    Args:
        members: `image_key`, `component`; a pair is joined where both keys have one component.
        truth: YAML with `classes.cross_posts.groups` (`members`, each with a `key`) and
            `classes.variants.groups` (`keys`, which must stay apart).
    """
    classes = yaml.safe_load(truth.read_text(encoding="utf-8"))["classes"]
    same = {
        pair
        for group in classes["cross_posts"]["groups"]
        for pair in _pairs([member["key"] for member in group["members"]])
    }
    apart = {pair for group in classes["variants"]["groups"] for pair in _pairs(group["keys"])}
    apart -= same
    components = dict(members.select("image_key", "component").iter_rows())
    joined = {pair for pair in same | apart if _joined(components, pair)}
    return {
        "posted twice, found": len(same & joined),
        "posted twice, missed": len(same - joined),
        "variants, kept apart": len(apart - joined),
        "variants, joined wrongly": len(apart & joined),
    }


def _pairs(keys: list[str]) -> set[tuple[str, str]]:
    return set(combinations(sorted(keys), 2))


def _joined(components: dict[str, str], pair: tuple[str, str]) -> bool:
    first, second = (components.get(key) for key in pair)
    return first is not None and first == second
