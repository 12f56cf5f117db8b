"""Checks across the sources: an exact search, and one row an image."""

from typing import Any

import polars as pl

from dataproc_assets.dedup import certificate
from dataproc_assets.dedup.items import unmeasured
from dataproc_assets.defs.near_duplicates import everything
from dataproc_assets.defs.stage import Check
from dataproc_assets.defs.tables import dedup_everything
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


DEDUP_CROSS = (
    Check("exact", "A sample's pairs by brute force are the edges that were found.", _exact, True),
    Check("drops_have_an_edge", "A duplicate resembles what replaced it.", _drops_have_an_edge),
)
IMAGES = (Check("one_row_an_image", "One row for every representative.", _one_row_an_image, True),)
