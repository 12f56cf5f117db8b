"""Checks across the sources: an exact search, one row an image, and nothing unsafe released."""

from collections.abc import Callable
from typing import Any

import polars as pl

from dataproc_assets.dedup import certificate
from dataproc_assets.dedup.items import unmeasured
from dataproc_assets.defs.near_duplicates import everything
from dataproc_assets.defs.stage import Check
from dataproc_assets.defs.tables import dedup_everything, flags
from dataproc_assets.safety.flags import NEVER_FLAGS
from dataproc_assets.storage.lake import Lake

Outcome = tuple[bool, dict[str, Any]]


def _exact(lake: Lake, _: str | None) -> Outcome:
    edges = lake.read("dedup_cross").collect()
    items = unmeasured(dedup_everything(lake))
    figures = certificate(items, edges, lake.project.dedup, found=everything(lake)).figures
    shown = {name: figures[name] for name in ("recall", "missed", "unfounded", "sample_rows")}
    return figures["missed"] == 0 and figures["unfounded"] == 0, shown


def _drops_have_an_edge(lake: Lake, _: str | None) -> Outcome:
    edges = lake.read("dedup_cross").filter(pl.col("kind") == "duplicate").select("a", "b")
    pairs = pl.concat([edges, edges.select(a="b", b="a")])
    gone = lake.read("members").filter(pl.col("role") == "duplicate")
    wrong = gone.join(
        pairs, left_on=["image_key", "representative"], right_on=["a", "b"], how="anti"
    )
    keys = wrong.select("image_key").collect()["image_key"]
    return keys.is_empty(), {"without_edge": keys.len(), "examples": keys.head(10).to_list()}


def _one_row_an_image(lake: Lake, _: str | None) -> Outcome:
    ids = lake.read("images").select("image_id").collect()["image_id"]
    standing = lake.read("members").filter(pl.col("role") == "representative")
    expected = standing.select(pl.len()).collect().item()
    passed = ids.n_unique() == ids.len() == expected
    return passed, {"images": ids.len(), "representatives": expected}


def _prompts_fit(lake: Lake, recipe: str | None) -> Outcome:
    budget = lake.project.recipes[recipe or ""].token_budget
    rows = lake.read("prompts", recipe)
    over = pl.lit(False) if budget is None else pl.col("tokens") > budget
    empty = pl.col("prompt").str.strip_chars() == ""
    counts = rows.select(over.sum().alias("over"), empty.sum().alias("empty")).collect()
    figures = counts.row(0, named=True)
    return figures["over"] == 0, {"token_budget": str(budget), **figures}


def _free_of(names: tuple[str, ...]) -> Callable[[Lake, str | None], Outcome]:
    """A check that no kept image has one of these flags, computed afresh from all records."""

    def run(lake: Lake, recipe: str | None) -> Outcome:
        kept = lake.read("sanitized", recipe).filter("keep").select("image_id").unique()
        standing = lake.read("images").select("image_id", image_key="representative")
        found = pl.col("flags").list.set_intersection(list(names)).list.len() > 0
        rows = kept.join(standing, on="image_id").join(flags(lake), on="image_key").filter(found)
        ids = rows.select("image_id").collect()["image_id"].sort()
        return ids.is_empty(), {"found": ids.len(), "image_ids": ids.head(10).to_list()}

    return run


DEDUP_CROSS = (
    Check("exact", "A sample's pairs by brute force are the edges that were found.", _exact, True),
    Check("drops_have_an_edge", "A duplicate resembles what replaced it.", _drops_have_an_edge),
)
IMAGES = (Check("one_row_an_image", "One row for every representative.", _one_row_an_image, True),)
PROMPTS = (Check("prompts_fit", "No prompt is over its recipe's token budget.", _prompts_fit),)
SANITIZED = (
    Check("safety", "Nothing under a never rule is kept.", _free_of(NEVER_FLAGS), True),
    Check("ai", "Nothing that any source flags as AI-made is kept.", _free_of(("ai",)), True),
    Check(
        "opt_out",
        "Nothing of an artist who opted out or is banned is kept.",
        _free_of(("opt_out", "banned_artist", "banned_status")),
        True,
    ),
    Check(
        "banned_words",
        "Nothing with a banned word or banned content is kept.",
        _free_of(("banned_word", "banned_content")),
        True,
    ),
)
