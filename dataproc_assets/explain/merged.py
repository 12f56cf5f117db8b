"""What the sources made of an image together: fields with who lost, tags, prompts by recipe."""

from typing import Any

import polars as pl

from dataproc_assets.explain.rules import first, values
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.lookup import rows_of

MEASURED = ("width", "height", "pixels", "aspect", "bucket_width", "bucket_height", "year")
MEASURED += ("period", "tier_percentile", "sha256")
PROMPT = ("variant", "prompt", "tokens", "caption", "groups", "cut", "keep", "drop_reasons")


def image(lake: Lake, image_id: str) -> dict[str, Any]:
    """The row of `images`: `image_id`, `representative`, `measured`, `fields`, `tags`.

    Each of `fields` has its `value`, the `source` that won and its `weight` where it was drawn,
    and the `losing` values with theirs. Of an image in the quarantine there are the ids alone.
    """
    if lake.info("images") is None:
        return {}
    row = first(rows_of(lake.store, lake.path("images"), [image_id]))
    if not row:
        return {}
    told = {name: row[name] for name in ("image_id", "representative", "members", "sources")}
    told["quarantined"] = bool(row["quarantined"])
    if told["quarantined"]:
        return told
    fields = sorted(name.removesuffix("__source") for name in row if name.endswith("__source"))
    return {
        **told,
        "measured": values({name: row[name] for name in MEASURED}),
        "fields": {name: _field(row, name) for name in fields},
        "tags": row["tags"] or [],
        "losing_tags": row["tags__losing"] or [],
    }


def _field(row: dict[str, Any], name: str) -> dict[str, Any]:
    drawn = {"source": row[f"{name}__source"], "weight": row.get(f"{name}__weight")}
    return {"value": row[name], **values(drawn), "losing": row[f"{name}__losing"] or []}


def prompts(lake: Lake, image_id: str) -> dict[str, list[dict[str, Any]]]:
    """The prompts of each recipe with their parts, what the budget cut, and the verdict.

    Each has `variant`, `prompt`, `tokens`, `budget`, `caption`, `groups`, `cut`, `keep` and
    `drop_reasons`; a recipe that was not made yet is left out.
    """
    found = {}
    for recipe, config in sorted(lake.project.recipes.items()):
        if lake.info("sanitized", recipe) is None:
            continue
        rows = rows_of(lake.store, lake.path("sanitized", recipe), [image_id])
        told = rows.select(PROMPT).with_columns(budget=pl.lit(config.token_budget)).to_dicts()
        found[recipe] = [{**values(row), "keep": row["keep"]} for row in told]
    return found
