"""Exact near-duplicate search: edges, clusters, representatives and lasting image ids."""

from dataproc_assets.dedup.certificate import certificate
from dataproc_assets.dedup.decide import EDGE_SCHEMA
from dataproc_assets.dedup.edges import find_cross_edges, find_edges
from dataproc_assets.dedup.families import families
from dataproc_assets.dedup.found import Found, Stacked
from dataproc_assets.dedup.identity import LEDGER_SCHEMA, aliases, new_founders
from dataproc_assets.dedup.items import ITEM_SCHEMA
from dataproc_assets.dedup.members import MEMBER_SCHEMA, build_members

__all__ = [
    "EDGE_SCHEMA",
    "ITEM_SCHEMA",
    "LEDGER_SCHEMA",
    "MEMBER_SCHEMA",
    "Found",
    "Stacked",
    "aliases",
    "build_members",
    "certificate",
    "families",
    "find_cross_edges",
    "find_edges",
    "new_founders",
]
