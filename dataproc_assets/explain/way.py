"""One key's way through its source: address, record, intake, scores, rules, what was added."""

from typing import Any

import polars as pl

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.explain.rules import asked, first, values, with_sizes
from dataproc_assets.sources.columns import RECORD_SCHEMA
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.lookup import rows_of
from dataproc_assets.transforms.intake import add_intake_columns
from dataproc_assets.transforms.namespace import strip_namespace
from dataproc_assets.transforms.prefilter import UNDECODABLE

AUGMENTED = (
    *("pixels", "aspect", "bucket_width", "bucket_height", "year", "period"),
    *("tier", "tier_percentile", "tier_reason"),
)


def ways(lake: Lake, keys: list[str]) -> dict[str, dict[str, Any]]:
    """What the stages of its source say of each key, by key; of each source a few buckets are read.

    Each has `key`, `source`, `addresses`, `record`, `intake`, `scores`, `rules`, `augmented` and
    `drop_reasons`. What is unknown is left out.
    """
    found = {}
    for source in sorted({key.partition("/")[0] for key in keys}):
        own = [key for key in keys if key.startswith(f"{source}/")]
        tables = {
            name: _rows(lake, name, source, own)
            for name in ("inventory", "records", "todo", "metrics_merged", "augmented")
        }
        for key in own:
            rows = {name: t.filter(pl.col("image_key") == key) for name, t in tables.items()}
            found[key] = _way(lake, source, key, rows)
    return found


def _rows(lake: Lake, table: str, source: str, keys: list[str]) -> pl.DataFrame:
    if lake.info(table, source) is None:
        return pl.DataFrame(schema={"image_key": pl.String})
    rows = rows_of(lake.store, lake.path(table, source), keys)
    # a Float32 of 1.2 is 1.2 to a person, and not 1.2000000476837158
    return rows.with_columns(pl.col(pl.Float32).cast(pl.String).cast(pl.Float64))


def _way(lake: Lake, source: str, key: str, rows: dict[str, pl.DataFrame]) -> dict[str, Any]:
    augmented = first(strip_namespace(rows["augmented"].lazy(), source).collect())
    eligible = first(rows["todo"])
    record = {n: v for n, v in first(rows["records"]).items() if n in RECORD_SCHEMA.names()}
    late = {n: v for n, v in first(rows["metrics_merged"]).items() if n != "image_key"}
    scored = {**late, **augmented}
    return {
        "key": key,
        "source": source,
        "addresses": [values(row) for row in rows["inventory"].drop("image_key").to_dicts()],
        "record": values(record),
        "intake": {
            "eligible": bool(eligible) and eligible.get("intake_drop") is None,
            "drop_reasons": eligible.get("intake_drops") or [],
        },
        "scores": _scores(lake, scored),
        "rules": _rules(lake, source, rows["records"], scored, eligible),
        "augmented": values({name: augmented.get(name) for name in AUGMENTED}),
        "drop_reasons": augmented.get("drop_reasons") or eligible.get("intake_drops") or [],
    }


def _scores(lake: Lake, row: dict[str, Any]) -> dict[str, Any]:
    """What each metric said, with the model that said it."""
    status = {"status": row.get("metrics_status"), "error": row.get("metrics_error")}
    said = {
        name: {**_model(lake, metric), "values": _of_metric(name, row)}
        for name, metric in sorted(lake.project.metrics.items())
    }
    return {
        **values(status),
        **{name: told for name, told in said.items() if told["values"]},
    }


def _of_metric(name: str, row: dict[str, Any]) -> dict[str, Any]:
    prefix = f"{name}_"
    return values({n.removeprefix(prefix): v for n, v in row.items() if n.startswith(prefix)})


def _model(lake: Lake, metric: MetricConfig) -> dict[str, Any]:
    return {"kind": metric.kind, "fingerprint": lake.parts.fingerprint(metric.name)}


def _rules(
    lake: Lake,
    source: str,
    records: pl.DataFrame,
    scored: dict[str, Any],
    eligible: dict[str, Any],
) -> list[dict[str, Any]]:
    """The rules of intake and of the prefilter that the key was judged by, in their order."""
    config, curation = lake.project.sources[source], lake.project.curation
    told: list[dict[str, Any]] = []
    if records.height:
        judged = add_intake_columns(records.lazy(), curation.as_of, config.ai_tags).collect()
        hits = eligible.get("intake_drops") or []
        told += [{"stage": "todo", **asked(rule, first(judged), hits)} for rule in config.prefilter]
    at_intake = len(eligible.get("intake_drops") or [])
    hits = (scored.get("drop_reasons") or [])[at_intake:]  # some rules have a name at both
    if scored.get("metrics_status") == "ok":
        row = with_sizes(scored)
        told += [{"stage": "prefiltered", **asked(rule, row, hits)} for rule in curation.prefilter]
    elif undecodable := [hit for hit in hits if hit.startswith(UNDECODABLE)]:
        error = {"column": "metrics_error", "value": scored.get("metrics_error"), "hit": True}
        told += [{"stage": "prefiltered", "rule": hit, **error} for hit in undecodable]
    return told
