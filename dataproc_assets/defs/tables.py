"""Tables that several assets put together from the stages' own."""

import polars as pl

from dataproc_assets.safety.flags import NEVER_FLAGS, safety_flags
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.transforms.dedup_items import current_column, dedup_items
from dataproc_assets.transforms.namespace import strip_namespace


def all_rows(lake: Lake) -> pl.LazyFrame:
    """The augmented rows of all sources without their prefixes, with `source`."""
    return pl.concat(
        [
            strip_namespace(lake.read("augmented", name), name).with_columns(source=pl.lit(name))
            for name in sorted(lake.project.sources)
        ]
    )


def captions(lake: Lake) -> pl.LazyFrame:
    """`image_key` and `caption_text` of the representatives that were captioned."""
    empty = pl.LazyFrame(schema={"image_key": pl.String, "caption_text": pl.String})
    late = [
        lake.read(name).select("image_key", caption_text=pl.col(metric.text_column))
        for name, metric in lake.project.late_metrics.items()
        if metric.text_column
    ]
    return pl.concat([empty, *late]).drop_nulls("caption_text")


def flags(lake: Lake) -> pl.LazyFrame:
    """What speaks against each known row, over its whole component.

    What the quarantine ledger names stays under the never rules, whatever its records say now.
    """
    members = lake.read("members").select("image_key", "component")
    rows = all_rows(lake).join(members, on="image_key", how="left")
    rows = rows.join(captions(lake), on="image_key", how="left")
    found = safety_flags(rows, lake.project.safety)
    held = read_ledger(lake.store, "quarantine").lazy().select("image_key").unique()
    components = found.join(held, on="image_key").select("component", held=True).unique()
    known = found.join(components, on="component", how="left")
    judged = pl.col("flags").list.set_intersection(list(NEVER_FLAGS)).list.len() > 0
    never = pl.concat_list(pl.lit(NEVER_FLAGS[0]), "flags")
    return known.with_columns(
        flags=pl.when(pl.col("held").is_not_null() & ~judged).then(never).otherwise("flags")
    ).drop("held")


def compared(lake: Lake, source: str) -> pl.LazyFrame:
    """`image_key`, `embedding` and `detail` of a source's images at their present versions."""
    config, present = lake.project.dedup, lake.read("inventory", source)
    metrics = {"embedding": config.embedding, "detail": config.detail.metric}
    embedding, detail = (
        current_column(lake.parts.read(metric, source), present, metric, column)
        for column, metric in metrics.items()
    )
    return embedding.join(detail, on="image_key", how="full", coalesce=True)


def dedup_everything(lake: Lake) -> pl.DataFrame:
    """The items of the search over all sources."""
    trust = {name: source.trust.image for name, source in lake.project.sources.items()}
    frames = [compared(lake, name) for name in sorted(lake.project.sources)]
    measured = pl.concat(frames, how="vertical_relaxed")
    believed = pl.col("source").replace_strict(trust, return_dtype=pl.Float64)
    return dedup_items(all_rows(lake), measured, believed)
