"""Tables that several assets put together from the stages' own."""

import polars as pl

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.project import Project
from dataproc_assets.models.columns import metric_columns
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.parts import EMPTY_PART
from dataproc_assets.transforms.dedup_items import current_column, dedup_items
from dataproc_assets.transforms.namespace import add_namespace, strip_namespace
from dataproc_assets.transforms.pending import pending


def all_rows(lake: Lake) -> pl.LazyFrame:
    """The augmented rows of all sources without their prefixes, with `source`."""
    return pl.concat(
        [
            strip_namespace(lake.read("augmented", name), name).with_columns(source=pl.lit(name))
            for name in sorted(lake.project.sources)
        ]
    )


def captions(lake: Lake) -> pl.LazyFrame:
    """`image_key` and `caption_text` of the images that were captioned."""
    texts = [pl.LazyFrame(schema={"image_key": pl.String, "caption_text": pl.String})]
    for name, metric in lake.project.metrics.items():
        if metric.text_column:
            rows = lake.read(name) if name in lake.project.late_metrics else all_rows(lake)
            texts.append(rows.select("image_key", caption_text=pl.col(metric.text_column)))
    return pl.concat(texts).drop_nulls("caption_text")


def details(lake: Lake, source: str, keys: pl.Series) -> pl.DataFrame:
    """`image_key` and `detail` of some of a source's images, at their present versions.

    Part after part is read, of those that have any, since all thumbnails of a crawl may not fit in
    memory.
    """
    metric, present = lake.project.dedup.detail.metric, lake.read("inventory", source)
    wanted = keys.rename("image_key").to_frame()
    rows = []
    for part in lake.parts.holding(metric, source, keys):
        some = lake.parts.scan(part).join(wanted.lazy(), on="image_key", how="semi").collect()
        if some.height:
            rows.append(some.lazy().with_columns(part=pl.lit(part)))
    measured = pl.concat(rows) if rows else EMPTY_PART.to_frame().lazy()
    return current_column(measured, present, metric, "detail").sort("image_key").collect()


def late_folder(source: str | None) -> str:
    """Where the parts of a late metric lie: in its source's folder, or in that of all sources."""
    return source or "representatives"


def late_rows(lake: Lake, metric: str, source: str | None) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """What a late metric is asked for, as `merge_metrics` takes it, and the inventory of it."""
    if metric in lake.project.kept_metrics:
        chosen = lake.read("prefiltered", source).filter("keep")
        inventory = lake.read("inventory", source)
    else:
        chosen = lake.read("members").filter(pl.col("role") == "representative")
        inventory = lake.read_all("inventory")
    return chosen.select("image_key", intake_drop=pl.lit(None, pl.String)), inventory


def late_pending(lake: Lake, metric: str, source: str | None) -> pl.DataFrame:
    """The images that a late metric has yet to score, as `pending` gives them."""
    done = lake.parts.done(metric, late_folder(source)).collect()
    return pending(*late_rows(lake, metric, source), {metric: done})


def late_missing(lake: Lake, stage: str, source: str | None) -> int:
    """How many rows of a late metric's table wait for another try; 0 of any other table."""
    late = {**lake.project.kept_metrics, **lake.project.late_metrics}
    if stage not in late or lake.info(stage, source) is None:
        return 0
    status = pl.col("metrics_status")
    return lake.read(stage, source).filter(status == "missing").select(pl.len()).collect().item()


def with_columns(parts: pl.LazyFrame, metric: MetricConfig) -> pl.LazyFrame:
    """The parts with the metric's columns, also where there is no part yet."""
    known = parts.collect_schema()
    missing = {n: t for n, t in metric_columns(metric).items() if n not in known}
    return parts.with_columns(pl.lit(None, dtype).alias(n) for n, dtype in missing.items())


def with_kept_metrics(
    project: Project, source: str, rows: pl.LazyFrame, tables: dict[str, pl.LazyFrame]
) -> pl.LazyFrame:
    """A source's rows in their order, with the columns, prefixed, of the metrics that ran on what
    was kept: of `tables`, by the metric's name."""
    for name, table in tables.items():
        known = table.collect_schema()
        columns = [c for c in metric_columns(project.metrics[name]) if c in known]
        found = add_namespace(table.select("image_key", *columns), source, columns)
        rows = rows.join(found, on="image_key", how="left", maintain_order="left")
    return rows


def dedup_everything(lake: Lake) -> pl.DataFrame:
    """The items of the search over all sources."""
    trust = {name: source.trust.image for name, source in lake.project.sources.items()}
    believed = pl.col("source").replace_strict(trust, return_dtype=pl.Float64)
    return dedup_items(all_rows(lake), believed)
