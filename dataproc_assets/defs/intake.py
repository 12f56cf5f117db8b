"""Intake: the images on the bucket, the crawler's records, and what is left to score."""

import dagster as dg
import polars as pl

from dataproc_assets.defs.checks import intake as checks
from dataproc_assets.defs.record_rows import record_rows
from dataproc_assets.defs.result import count_reasons, reasons_metadata, table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.sources.align import align_records
from dataproc_assets.sources.layouts import image_keys
from dataproc_assets.sources.parse import settle_records
from dataproc_assets.storage import layout
from dataproc_assets.storage.crawl import read_crawl
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.shards import ShardReader, shard_reader
from dataproc_assets.storage.units import make_units, replace_units
from dataproc_assets.transforms.eligibility import eligibility
from dataproc_assets.transforms.intake import add_intake_columns
from dataproc_assets.transforms.inventory import hold_removals, inventory_rows
from dataproc_assets.transforms.pending import pass_seconds, pending
from dataproc_assets.transforms.rules import apply_rules


def inventory(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """List the crawl; a removal over the YAML's limit is not applied."""
    inputs, config = lake.inputs("inventory", source), lake.project.sources[source]
    listing = lake.crawl(source)
    crawl = read_crawl(lake.bucket, config.crawl, _shards(lake, source), listing.frame)
    rows, unnamed = inventory_rows(crawl.images, image_keys(pl.col("name"), config))
    before = lake.read("inventory", source).collect() if lake.info("inventory", source) else None
    held = hold_removals(
        rows,
        before,
        config.removed_share_max,
        complete=listing.complete,
        taken_at=listing.taken_at,
    )
    ignored = pl.concat([crawl.ignored, unnamed])
    lake.write("inventory", source, ignored, key="place", table="rejected_files", inputs=inputs)
    info = lake.write("inventory", source, held.rows, inputs=inputs)
    context.log.info(f"{source}: {info.rows} images, {held.added} new, {held.removed} removed")
    metadata = {
        "added": held.added,
        "removed": held.removed,
        "removed_share": held.removed_share,
        "removals_held_back": held.held_back,
        "set_aside": reasons_metadata(count_reasons(ignored.lazy(), "reason")),
    }
    return table_result(lake, "inventory", source, info, metadata)


def records(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Read the crawler's records; what cannot be read is kept with its reason."""
    inputs, config = lake.inputs("records", source), lake.project.sources[source]
    listing = lake.crawl(source).frame
    files = read_crawl(lake.bucket, config.crawl, _shards(lake, source), listing).records
    found = record_rows(lake, source, files)
    rows, rejects = settle_records(found.rows, source)
    images = lake.read("inventory", source).select("image_key")
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
    inputs, config = lake.inputs("todo", source), lake.project.sources[source]
    found, as_of = lake.read("records", source), lake.project.curation.as_of
    known = add_intake_columns(found, as_of, config.ai_tags)
    judged = apply_rules(known, config.prefilter)
    takedowns = read_ledger(lake.store, "takedown").lazy()
    images = lake.read("inventory", source)
    eligible = eligibility(images, judged, takedowns).collect()
    scored = {name: lake.done(name, source) for name in lake.project.pass_metrics}
    left = pending(eligible.lazy(), images, scored).collect()
    units = make_units(left, lake.project.profile.storage.unit_images)
    replace_units(lake.store, layout.todo_path(source), units)
    info = lake.write("todo", source, eligible, inputs=inputs)
    seconds = pass_seconds(left, lake.seconds_per_image())
    context.log.info(f"{source}: {left.height} images to score, about {seconds:.0f} s")
    metadata = {
        "eligible": eligible["intake_drop"].null_count(),
        "pending": left.height,
        "units": len(units),
        "estimated_seconds": seconds,
        "drops": reasons_metadata(count_reasons(eligible.lazy(), "intake_drop")),
    }
    return table_result(lake, "todo", source, info, metadata)


def _shards(lake: Lake, source: str) -> ShardReader:
    return shard_reader(lake.project.profile.crawl.shards, lake.store, source)


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    return [
        stage_asset(lake, inventory, checks=checks.INVENTORY),
        stage_asset(lake, records, checks=checks.RECORDS),
        stage_asset(lake, todo, checks=checks.TODO),
    ]
