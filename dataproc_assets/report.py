"""The table at the end: rows in and out of every stage, drops, duplicates, what to open next."""

from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from dataproc_assets.funnel import funnel
from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import gallery_path, latents_path, release_path
from dataproc_assets.storage.withdrawn import present_name, withdrawals
from dataproc_assets.truth import compare_duplicates

MOST_REASONS = 20


def print_report(lake: Lake, truth: Path | None = None) -> None:
    """Print the state of the whole graph for a person. `truth` is a ground truth file."""
    console = Console(width=max(Console().width, 100))
    console.print(_funnel_table(lake))
    console.print(_drops_table(lake))
    if truth:
        console.print(_truth_table(lake, truth))
    for name in sorted(lake.project.releases):
        console.print(_release_line(lake, name), soft_wrap=True)
    console.print(f"gallery: {lake.store.uri(gallery_path())}/index.html", soft_wrap=True)
    console.print("next: `dagster dev` shows the graph, `dataproc gallery` the pictures")


def _funnel_table(lake: Lake) -> Table:
    """Stages as rows, sources as columns: `kept / rows`."""
    counts = funnel(lake)
    sources = sorted(lake.project.sources)
    table = Table(title="rows kept of rows in", title_justify="left")
    table.add_column("stage")
    for name in [*sources, "all"]:
        table.add_column(name, justify="right")
    for (stage,), rows in counts.group_by("stage", maintain_order=True):
        found = {row["source"]: row for row in rows.to_dicts()}
        total = {"kept": rows["kept"].sum(), "rows": rows["rows"].sum()}
        cells = [found.get(source) for source in sources] + [total]
        table.add_row(str(stage), *(f"{c['kept']} / {c['rows']}" if c else "–" for c in cells))
    return table


def _drops_table(lake: Lake) -> Table:
    """Each drop reason with the stage that gave it and its rows."""
    table = Table(title="why rows were dropped", title_justify="left")
    table.add_column("stage")
    table.add_column("reason")
    table.add_column("rows", justify="right")
    frames = [
        lake.read("prefiltered", source).select(
            stage=pl.when(pl.col("intake_drop").is_not_null())
            .then(pl.lit("todo"))
            .otherwise(pl.lit("prefiltered")),
            reason="drop_reason",
        )
        for source in sorted(lake.project.sources)
    ]
    members = lake.read("members").filter(pl.col("role") == "duplicate")
    named = members.with_columns(stage=pl.lit("dedup_cross"), reason=pl.lit("duplicate"))
    frames.append(named.select("stage", "reason"))
    for recipe in sorted(lake.project.recipes):
        verdict = lake.read("sanitized", recipe).unique("image_id")
        frames.append(verdict.select(stage=pl.lit(f"sanitized {recipe}"), reason="drop_reason"))
    counts = (
        pl.concat(frames)
        .drop_nulls("reason")
        .group_by("stage", "reason", maintain_order=True)
        .agg(rows=pl.len())
        .collect()
    )
    for stage, group in counts.group_by("stage", maintain_order=True):
        ordered = group.sort("rows", "reason", descending=[True, False])
        for _, reason, rows in ordered.head(MOST_REASONS).iter_rows():
            table.add_row(str(stage[0]), reason, str(rows))
    return table


def _truth_table(lake: Lake, truth: Path) -> Table:
    figures = compare_duplicates(lake.read("members").collect(), truth)
    table = Table(title="duplicates against the ground truth", title_justify="left")
    table.add_column("what")
    table.add_column("pairs", justify="right")
    for name, count in figures.items():
        table.add_row(name, str(count))
    return table


def _release_line(lake: Lake, name: str) -> str:
    gone = withdrawals(lake.store, name)
    told = f"{gone[-1]}\n" if gone else ""
    manifest = read_manifest(lake.store, release_path(present_name(lake.store, name)))
    if manifest is None:
        return told.rstrip() or f"release {name}: not published"
    place = lake.store.uri(manifest.root)
    line = f"{told}release {manifest.name}: {manifest.counts['images']} images in {place}"
    now = {key: lake.state(*_asset(key)) for key in manifest.inputs}
    if now != manifest.inputs:
        line += (
            "\n  its inputs have changed since; it stays as it is. To publish the present state, "
            f"copy conf/releases/{name}.yaml to a new name"
        )
    latents = read_manifest(lake.store, latents_path(manifest.name))
    if latents:
        place = lake.store.uri(latents.root)
        line += f"\nlatents {latents.name}: {latents.counts['images']} in {place}"
    return line


def _asset(key: str) -> tuple[str, str | None]:
    name, _, partition = key.partition("/")
    return name, partition or None
