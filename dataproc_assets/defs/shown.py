"""What the gallery may show, as the tables, the ledgers and safety.yaml say it now."""

import polars as pl

from dataproc_assets.defs.flags import flags, flags_state
from dataproc_assets.defs.tables import all_rows
from dataproc_assets.gallery.tables import GalleryTables, canonical
from dataproc_assets.gallery.withhold import find_withheld, without
from dataproc_assets.safety.flags import NEVER_FLAGS
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger

TAGS = ("tags_general", "tags_character", "tags_copyright", "tags_artist", "tags_meta")


def shown_state(lake: Lake) -> str:
    """The digest of all that `shown_tables` are made of, read off manifests and the ledger."""
    sanitized = {recipe: lake.state("sanitized", recipe) for recipe in sorted(lake.project.recipes)}
    return json_digest([flags_state(lake), lake.state("images", None), sanitized])


def shown_tables(lake: Lake) -> GalleryTables:
    """The tables that decide what may be shown, without what is only shown."""
    project, against = lake.project, flags(lake).collect()
    never = pl.col("flags").list.set_intersection(list(NEVER_FLAGS))
    held = against.select("image_key", rule=never).explode("rule").drop_nulls("rule")
    ledger = read_ledger(lake.store, "quarantine").select("image_key", "rule")
    said = pl.concat_list(pl.col(name).fill_null([]) for name in TAGS)
    return GalleryTables(
        augmented=all_rows(lake).with_columns(tags=said).collect(),
        flags=against,
        cosine=project.dedup.cosine,
        members=lake.read("members").collect(),
        images=lake.read("images").collect(),
        sanitized={name: lake.read("sanitized", name).collect() for name in project.recipes},
        quarantined=pl.concat([held, ledger]).unique(),
    )


def shown_keys(lake: Lake) -> pl.Series:
    """The keys of which something may be shown."""
    tables = canonical(shown_tables(lake))
    return without(tables, find_withheld(tables)).augmented["image_key"]
