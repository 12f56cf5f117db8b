"""The objects of a source's crawl, from where the profile says: a listing, or a report."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import cast

import polars as pl

from dataproc_assets.config.profiles import CrawlRootConfig
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.storage.crawl import listing_digest
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.listing import list_prefix
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.report_manifest import newest_report
from dataproc_assets.storage.s3_report import read_report


@dataclass(frozen=True)
class Listing:
    """What is known of a source's objects.

    Attributes:
        digest: stands for where they lie, their paths and versions; it changes when these do, and
            with every new report.
        what: where this is known from, for a person.
        complete: whether an object that is not in it is not there; else it removes nothing.
        taken_at: when it was taken; None for now. It says nothing of what is newer.
        newest: no object in it was written after this; None where there is no object.
        base: names the complete listing that events were added to, where they were.
        read: gives the objects in LISTING_SCHEMA, sorted by path. It is called when they are
            asked for: a report's digest takes no more than its manifest.
    """

    digest: str
    what: str
    complete: bool
    taken_at: datetime | None
    newest: datetime | None
    read: Callable[[], pl.DataFrame] = field(repr=False)
    base: str = ""

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The objects, in LISTING_SCHEMA, sorted by path. Raises ReportError, ConnectionError."""
        return self.read()


def crawl_listing(store: ObjectStore, source: SourceConfig, crawl: CrawlRootConfig) -> Listing:
    """The objects of a source below the root of the crawls.

    Raises:
        ConnectionError: the store, or a part of it, could not be listed or read to its end.
        ReportError: the source's report is broken.
        UnorderedError: the profile lists by ranges, which this store is not fit for.
    """
    prefix = source.crawl.prefix
    if source.name not in crawl.reports:
        frame = list_prefix(store, prefix, crawl.listing)
        return Listing(
            digest=json_digest([store.url, listing_digest(frame)]),
            what=f"{frame.height} objects",
            complete=True,
            taken_at=None,
            newest=cast("datetime | None", frame["modified"].max()),
            read=lambda: frame,
        )
    bucket = store.url.removeprefix("s3://").partition("/")[0]
    report = newest_report(crawl.reports[source.name], bucket)
    return Listing(
        digest=json_digest([store.url, report.digest]),
        what=f"the report of {report.taken_at:%Y-%m-%d %H:%M} UTC",
        complete=True,
        taken_at=report.taken_at,
        newest=report.taken_at,
        read=lambda: read_report(report, store, prefix),
    )
