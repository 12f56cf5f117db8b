"""Intake: the images on the bucket, the crawler's records, and what is left to score."""

from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import polars as pl

from dataproc_assets.defs.checks import intake as checks
from dataproc_assets.defs.record_rows import record_rows
from dataproc_assets.defs.result import add_counts, count_reasons, reasons_metadata, table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.takedowns import (
    scrub_shards,
    scrub_source,
    taken_keys,
    without_names,
    without_taken,
)
from dataproc_assets.defs.todo_parts import open_todo
from dataproc_assets.sources.align import align_records
from dataproc_assets.sources.layouts import image_keys
from dataproc_assets.sources.parse import settle_records
from dataproc_assets.storage import layout
from dataproc_assets.storage.ahead import ahead
from dataproc_assets.storage.crawl import read_crawl
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.shards import ShardReader, shard_reader
from dataproc_assets.storage.spill import KeyOrder
from dataproc_assets.storage.units import cut_units, replace_units
from dataproc_assets.transforms.inventory import hold_removals, inventory_rows
from dataproc_assets.transforms.pending import pass_seconds


def inventory(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """List the crawl; a removal over the YAML's limit is not applied."""
    scrub_source(lake, source)  # before `todo` asks what is scored
    lake.crawls.list_if_due(source)
    inputs, config = lake.inputs("inventory", source), lake.project.sources[source]
    listing = lake.crawls.now(source)
    crawl = read_crawl(lake.bucket, config.crawl, _shards(lake, source), listing.frame)
    rows, unnamed = inventory_rows(crawl.images, image_keys(pl.col("name"), config))
    before = lake.read("inventory", source).collect() if lake.info("inventory", source) else None
    taken = taken_keys(lake, source, rows)
    if rows.filter(pl.col("image_key").is_in(taken.implode()))["offset"].is_not_null().any():
        scrub_shards(lake, source)
    rows = without_taken(lake, source, rows)
    before = None if before is None else without_taken(lake, source, before)
    held = hold_removals(
        rows,
        before,
        config.removed_share_max,
        complete=listing.complete and _may_remove(lake, source, inputs, before),
        taken_at=listing.taken_at,
    )
    ignored = without_names(pl.concat([crawl.ignored, unnamed]), config, taken)
    lake.write("inventory", source, ignored, key="place", table="rejected_files", inputs=inputs)
    info = lake.write("inventory", source, held.rows, inputs=inputs)
    context.log.info(
        f"{source}: {info.rows} images, {held.added} new, {held.removed} removed; "
        f"{ignored.height} files set aside" + (f", {len(taken)} taken down" if len(taken) else "")
    )
    metadata = {
        "taken_down": len(taken),
        "added": held.added,
        "removed": held.removed,
        "removed_share": held.removed_share,
        "removals_held_back": held.held_back,
        "set_aside": reasons_metadata(count_reasons(ignored.lazy(), "reason")),
    }
    return table_result(lake, "inventory", source, info, metadata)


def records(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Read the crawler's records; what cannot be read is kept with its reason."""
    lake.crawls.list_if_due(source)
    inputs, config = lake.inputs("records", source), lake.project.sources[source]
    listing = lake.crawls.now(source).frame
    files = read_crawl(lake.bucket, config.crawl, _shards(lake, source), listing).records
    found = record_rows(lake, source, files)
    rows, rejects = settle_records(found.rows, source)
    known = lake.read("inventory", source).select("image_key").collect()
    images = without_taken(lake, source, known).lazy()
    aligned = align_records(rows.lazy(), images, config)
    lake.write("records", source, rejects, key="place", table="rejects", inputs=inputs)
    info = lake.write("records", source, aligned, inputs=inputs)
    context.log.info(
        f"{source}: {info.rows} records, {rejects.height} rejects; {found.parsed} files parsed, "
        f"{found.known} known"
    )
    metadata = {
        "files_parsed": found.parsed,
        "files_known": found.known,
        "rejects": rejects.height,
        "rejects_by_reason": reasons_metadata(count_reasons(rejects.lazy(), "reason")),
    }
    return table_result(lake, "records", source, info, metadata)


def todo(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Decide who may be scored, and write unit files of what is not scored yet."""
    inputs, storage = lake.inputs("todo", source), lake.project.profile.storage
    table = lake.writer("todo", source)
    drops: list[pl.DataFrame] = []
    allowed, images, seconds, rate = 0, 0, 0.0, lake.parts.rate(source)
    with TemporaryDirectory(prefix="todo-") as folder:
        parts = open_todo(lake, source, Path(folder))
        order = KeyOrder(Path(folder) / "pending", parts.count, parts.spill_mb)
        for part, (eligible, left) in enumerate(ahead(parts.judge, range(parts.count))):
            table.add(eligible, parts.count, part)
            order.add(left)
            drops.append(count_reasons(eligible.lazy(), "intake_drop"))
            allowed += eligible["intake_drop"].null_count()
            images += left.height
            seconds += pass_seconds(left, rate.seconds)
        units = cut_units(order.take(), storage.unit_images)
        count = replace_units(lake.store, layout.todo_path(source), units)
    info = table.finish(inputs, lake.code_version("todo", source))
    context.log.info(f"{source}: {images} images to score, about {seconds:.0f} s")
    metadata = {
        "eligible": allowed,
        "pending": images,
        "units": count,
        "estimated_seconds": seconds,
        "drops": reasons_metadata(add_counts(drops)),
    }
    return table_result(lake, "todo", source, info, metadata)


def _may_remove(
    lake: Lake, source: str, inputs: dict[str, str], before: pl.DataFrame | None
) -> bool:
    """Whether a complete listing is looked at for the first time: an event removes nothing.

    What such a listing lacked and was held back may still be removed.
    """
    info = lake.info("inventory", source)
    again = info is not None and info.inputs.get("listing") == inputs.get("listing", "")
    return not again or (before is not None and bool(before["removed"].any()))


def _shards(lake: Lake, source: str) -> ShardReader:
    return shard_reader(lake.project.profile.crawl.shards, lake.store, source)


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    return [
        stage_asset(lake, inventory, checks=checks.INVENTORY),
        stage_asset(lake, records, checks=checks.RECORDS),
        stage_asset(lake, todo, checks=checks.TODO),
    ]
