"""What of published releases is taken down: the images that a revocation has to name."""

import polars as pl

from dataproc_assets.defs.takedowns import taken_keys
from dataproc_assets.release.rows import read_tables
from dataproc_assets.releases import published
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.takedowns import read_takedowns
from dataproc_assets.storage.versions import all_versions

HELD = ["image_id", "sha256", "representative"]


def every_name(store: ObjectStore) -> list[str]:
    """All names below `releases/`, of published releases, of withdrawn ones, of what is left."""
    folders = {path.split("/")[1] for path in store.list("releases")["path"] if path.count("/") > 1}
    return sorted(
        folders | {entry.path.split("/")[1] for entry in all_versions(store, "releases/")}
    )


def held_by(lake: Lake) -> dict[str, pl.DataFrame]:
    """By release, the rows of what is taken down: HELD.

    An image is known by the key that stood for it, or by its bytes.
    """
    found = {}
    for manifest in published(lake.store):
        hits = _taken(lake, read_tables(lake.store, manifest).select(HELD))
        if hits.height:
            found[manifest.name] = hits
    return found


def _taken(lake: Lake, rows: pl.DataFrame) -> pl.DataFrame:
    hashes = pl.concat(
        [
            read_ledger(lake.store, "print").select("sha256"),
            read_takedowns(lake.store).filter(pl.col("kind") == "hash").select(sha256="value"),
        ]
    )["sha256"].drop_nulls()
    sources = rows["representative"].str.split("/").list.first().unique().sort()
    named = [
        taken_keys(lake, source, _of_source(rows, source))
        for source in sources
        if source in lake.project.sources
    ]
    keys = pl.concat([pl.Series("image_key", [], pl.String), *named])
    by_key, by_bytes = (
        pl.col("representative").is_in(keys.implode()),
        pl.col("sha256").is_in(hashes.implode()),
    )
    return rows.filter(by_key | by_bytes).sort("image_id")


def _of_source(rows: pl.DataFrame, source: str) -> pl.DataFrame:
    mine = rows.filter(pl.col("representative").str.starts_with(f"{source}/"))
    return mine.select(image_key="representative")
