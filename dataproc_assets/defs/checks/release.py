"""Checks of a release and its latents: every file is what the manifest says."""

from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.release.latent_checks import check_latents
from dataproc_assets.release.manifest import verify
from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.lake import Lake

Outcome = tuple[bool, dict[str, Any]]


def _intact(lake: Lake, name: str | None) -> Outcome:
    problems = verify(lake.store, name or "")
    return not problems, {"problems": problems[:20]}


def _allowed(lake: Lake, name: str | None) -> Outcome:
    config, train = lake.project.releases[name or ""], read_train(lake.store, name or "")
    rating = pl.col("rating").is_in(config.select.ratings).fill_null(False)
    wrong = train.filter(~rating | pl.col("opt_out") | (pl.col("ai") == "yes"))["image_id"]
    return wrong.is_empty(), {"wrong": wrong.len(), "image_ids": wrong.head(10).to_list()}


def _sound(lake: Lake, name: str | None) -> Outcome:
    config = lake.project.releases[name or ""].latents
    problems = check_latents(lake.store, name or "", config.psnr_min if config else 0.0)
    return not problems, {"problems": problems[:20]}


RELEASE = (
    Check("intact", "Every file has the digest that the manifest names.", _intact, blocking=True),
    Check("allowed", "No row is AI-made, opted out or of an unasked rating.", _allowed),
)
LATENTS = (
    Check("sound", "One latent an image, of its bucket's shape, finite, and like it.", _sound),
)
