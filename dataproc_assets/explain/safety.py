"""What speaks against an image, by rule and by the key that says it; never the words themselves."""

from typing import Any

import polars as pl

from dataproc_assets.safety.facts import add_facts, fact_columns, machine_facts, row_facts
from dataproc_assets.safety.flags import NEVER_FLAGS, component_flags
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.lookup import rows_of
from dataproc_assets.transforms.namespace import strip_namespace

TOGETHER = ("adult", "child")  # neither says anything without the other


def safety(lake: Lake, component: str, keys: list[str]) -> dict[str, Any]:
    """The verdict on a component: `flags`, `facts` by key, `ledger`, and whether it is `held`.

    `keys` are all members of the component. `ledger` are the entries of the quarantine of any of
    them. It is found from the rows as they are now, as a release does.
    """
    facts = pl.concat([_facts(lake, source, keys) for source in _sources(keys)])
    together = component_flags(facts.with_columns(component=pl.lit(component)).lazy()).collect()
    flags = together["flags"][0].to_list() if together.height else []
    held = read_ledger(lake.store, "quarantine").filter(pl.col("image_key").is_in(keys))
    return {
        "held": held.height > 0 or any(flag in NEVER_FLAGS for flag in flags),
        "flags": flags,
        "facts": {row.pop("image_key"): _holding(row, flags) for row in facts.to_dicts()},
        "ledger": held.sort("image_key", "rule").to_dicts(),
    }


def _sources(keys: list[str]) -> list[str]:
    return sorted({key.partition("/")[0] for key in keys})


def _holding(row: dict[str, Any], flags: list[str]) -> list[str]:
    silent = ("active",) if "child_tag_in_adult" in flags else ("active", *TOGETHER)
    return [name for name, holds in row.items() if holds and name not in silent]


def _facts(lake: Lake, source: str, keys: list[str]) -> pl.DataFrame:
    """The facts of a source's rows, with what models that ran late said of them."""
    config = lake.project.safety
    rows = rows_of(lake.store, lake.path("augmented", source), _of(source, keys))
    bare = strip_namespace(rows.lazy(), source).with_columns(source=pl.lit(source)).collect()
    facts = row_facts(_read(lake, bare), config)
    for name in sorted(lake.project.late_metrics):
        if lake.info(name) is not None:
            said = rows_of(lake.store, lake.path(name), _of(source, keys))
            facts = add_facts(facts, machine_facts(_read(lake, said), config))
    return facts


def _of(source: str, keys: list[str]) -> list[str]:
    return [key for key in keys if key.startswith(f"{source}/")]


def _read(lake: Lake, rows: pl.DataFrame) -> pl.DataFrame:
    """The columns that count, a captioner's text under the name that safety knows."""
    texts = {metric.text_column for metric in lake.project.metrics.values()} & {*rows.columns}
    named = rows.rename({column: "caption_text" for column in texts if column})
    return named.select(fact_columns(named.schema, lake.project.safety))
