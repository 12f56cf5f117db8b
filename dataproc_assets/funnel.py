"""How many rows of each source reach each stage."""

import polars as pl

from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import release_path
from dataproc_assets.storage.withdrawn import present_name

FUNNEL_SCHEMA = pl.Schema(
    {"stage": pl.String, "source": pl.String, "rows": pl.Int64, "kept": pl.Int64}
)
SOURCE = pl.col("image_key").str.split("/").list.first()


def funnel(lake: Lake) -> pl.DataFrame:
    """FUNNEL_SCHEMA in flow order: what each stage was given of a source and what it kept.

    An image counts for the source of its representative from `dedup` on.
    """
    rows = [row for source in sorted(lake.project.sources) for row in _of_source(lake, source)]
    frames = [pl.DataFrame(rows, schema=FUNNEL_SCHEMA, orient="row")]
    members = lake.read("members").filter(pl.col("role") != "dropped")
    standing = pl.col("role") == "representative"
    frames.append(_counts("dedup", members, pl.col("source"), standing))
    images = lake.read("images").select("image_id", image_key="representative")
    for recipe in sorted(lake.project.recipes):
        verdict = lake.read("sanitized", recipe).group_by("image_id").agg(pl.col("keep").any())
        joined = images.join(verdict, on="image_id")
        frames.append(_counts(f"sanitized {recipe}", joined, SOURCE, pl.col("keep")))
    for name in sorted(lake.project.releases):
        if read_manifest(lake.store, release_path(present_name(lake.store, name))):
            train = read_train(lake.store, name).lazy().select("image_id", released=True)
            joined = images.join(train, on="image_id", how="left")
            kept = pl.col("released").fill_null(False)
            frames.append(_counts(f"release {name}", joined, SOURCE, kept))
    return pl.concat(frames)


def _of_source(lake: Lake, source: str) -> list[tuple[str, str, int, int]]:
    known = lake.read("todo", source)
    eligible = pl.col("intake_drop").is_null()
    figures = known.select(
        pl.len(), pl.col("has_image").sum(), pl.col("has_record").sum(), eligible.sum()
    )
    total, images, records, scoring = figures.collect().row(0)
    metrics = lake.read("metrics_merged", source)
    scored, ok = metrics.select(pl.len(), (pl.col("metrics_status") == "ok").sum()).collect().row(0)
    kept = lake.read("prefiltered", source).select(pl.col("keep").sum()).collect().item()
    return [
        ("images", source, total, images),
        ("records", source, total, records),
        ("eligible", source, total, scoring),
        ("scored", source, scored, ok),
        ("prefiltered", source, ok, kept),
    ]


def _counts(stage: str, rows: pl.LazyFrame, source: pl.Expr, kept: pl.Expr) -> pl.DataFrame:
    counts = rows.group_by(source=source).agg(rows=pl.len(), kept=kept.sum())
    named = counts.select(stage=pl.lit(stage), source="source", rows="rows", kept="kept")
    return named.cast(FUNNEL_SCHEMA).sort("source").collect()
