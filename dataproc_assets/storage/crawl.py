"""What a source's crawl holds: its image files, its record files, its shards' members."""

import re
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from dataproc_assets.config.sources import CrawlConfig
from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.listed import NO_PATH
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.shards import Shard, ShardReader, unread

FILE_SCHEMA = pl.Schema(
    {
        "name": pl.String,
        "uri": pl.String,
        "offset": pl.Int64,
        "length": pl.Int64,
        "size": pl.Int64,
        "version": pl.String,
        "modified": pl.Datetime("us", "UTC"),
    }
)
ODD_KEY = "its key has an empty part, `.`, `..` or a control character: rename the object"
IGNORED_SCHEMA = pl.Schema({"place": pl.String, "reason": pl.String})


@dataclass(frozen=True)
class Crawl:
    """The files of one source.

    `images` and `records` have FILE_SCHEMA, one row an address, a member of a shard with the time
    that the shard was written; `ignored` says of every other
    file, and of every shard that could not be read to its end, why; `digest` stands for all of
    it and changes when anything does.
    """

    images: pl.DataFrame
    records: pl.DataFrame
    ignored: pl.DataFrame
    digest: str


def list_objects(store: ObjectStore, prefix: str) -> pl.DataFrame:
    """The objects below a source's prefix, sorted by path. Raises where the store is away."""
    store.check()
    return store.list(prefix)


def listing_digest(listing: pl.DataFrame) -> str:
    """One digest for a listing's paths and versions."""
    return frame_digest(listing.select("path", "version"))


def read_crawl(
    store: ObjectStore,
    crawl: CrawlConfig,
    reader: ShardReader,
    listing: pl.DataFrame | None = None,
) -> Crawl:
    """Sort a source's objects by its patterns and look into its tar shards.

    Args:
        listing: the objects, in LISTING_SCHEMA; by default what the store now lists.
    """
    prefix, is_image = crawl.prefix, _is_image(crawl)
    listing = list_objects(store, prefix) if listing is None else listing
    digest = listing_digest(listing)
    odd = [(store.uri(path), ODD_KEY) for path in listing.filter(NO_PATH)["path"]]
    listing = listing.filter(~NO_PATH)
    named = listing.with_columns(name=pl.col("path").str.strip_prefix(f"{prefix}/"))
    roles = named.with_columns(role=_role(crawl))
    images = [_plain(store, roles.filter(pl.col("role") == "image"))]
    records = [_plain(store, roles.filter(pl.col("role") == "records"))]
    other = roles.filter(pl.col("role").is_null())
    found = reader.read(store, roles.filter(pl.col("role") == "shard"), other)
    junk = other.filter(~pl.col("path").is_in(found.indexes))["path"]
    ignored = [(store.uri(path), unread(path)) for path in junk] + odd + found.ignored
    written = dict(listing.select("path", "modified").iter_rows()) if found.shards else {}
    for shard in found.shards:
        members = _members(store, shard, written[shard.path])
        is_record = pl.col("name").str.to_lowercase().str.ends_with(".json")
        images.append(members.filter(is_image))
        records.append(members.filter(is_record))
        junk = members.filter(~is_image & ~is_record)["name"]
        uri = store.uri(shard.path)
        ignored += [(f"{uri}:{name}", "neither an image nor a record") for name in junk]
    return Crawl(
        images=pl.concat(images).sort("uri", "offset"),
        records=pl.concat(records).sort("uri", "offset"),
        ignored=pl.DataFrame(ignored, schema=IGNORED_SCHEMA, orient="row").sort("place", "reason"),
        digest=digest,
    )


def _is_image(crawl: CrawlConfig) -> pl.Expr:
    """Whether a name ends as images do."""
    extension = pl.col("name").str.extract(r"\.([^./]+)$").str.to_lowercase()
    return extension.is_in(crawl.extensions).fill_null(False)


def _role(crawl: CrawlConfig) -> pl.Expr:
    """What an object is by its path below the prefix; null for what the patterns leave out."""
    return (
        pl.when(_matches(crawl.shards))
        .then(pl.lit("shard"))
        .when(_matches(crawl.records))
        .then(pl.lit("records"))
        .when(_matches(crawl.images) & _is_image(crawl))
        .then(pl.lit("image"))
    )


def _matches(globs: list[str]) -> pl.Expr:
    """Whether `name` matches one of the globs; `*` and `?` stand for `/` too."""
    patterns = [re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".") for glob in globs]
    return pl.col("name").str.contains(f"^(?:{'|'.join(patterns)})$") if globs else pl.lit(False)


def _plain(store: ObjectStore, listing: pl.DataFrame) -> pl.DataFrame:
    """Whole objects as files: no offset, no length."""
    return listing.select(
        name=pl.col("path").str.split("/").list.last(),
        uri=pl.lit(f"{store.url}/") + pl.col("path"),
        offset=pl.lit(None, pl.Int64),
        length=pl.lit(None, pl.Int64),
        size="size",
        version="version",
        modified="modified",
    ).cast(FILE_SCHEMA)


def _members(store: ObjectStore, shard: Shard, modified: datetime) -> pl.DataFrame:
    """A shard's members as files."""
    return shard.members.select(
        name=pl.col("name").str.split("/").list.last(),
        uri=pl.lit(store.uri(shard.path)),
        offset="offset",
        length="size",
        size="size",
        version="version",
        modified=pl.lit(modified),
    ).cast(FILE_SCHEMA)
