"""What the crawl, which a takedown does not touch, still holds of what the ledger names."""

from collections.abc import Callable, Iterator

import polars as pl

from dataproc_assets.defs.record_rows import parse_files
from dataproc_assets.defs.takedowns import file_keys, has_takedowns, is_taken
from dataproc_assets.storage.crawl import read_crawl
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.shards import ShardReader

STILL = pl.Schema(
    {
        "image_key": pl.String,
        "kind": pl.String,
        "place": pl.String,
        "uri": pl.String,
        "offset": pl.Int64,
        "length": pl.Int64,
    }
)
FILES = 10_000  # of records, parsed at a time
SHOWN = 5  # places in one file


def still_crawled(lake: Lake, say: Callable[[str], None]) -> pl.DataFrame:
    """What is left of taken down images in the crawls as they now are: STILL, sorted by place.

    `kind` is `file` of a whole image or record, `member` of one in a tar shard, at `offset` and
    `length` bytes, and `row` of a record in a file with others, whose `place` ends in its number.
    Everything is listed anew and every shard walked, since what the lake keeps of them has
    forgotten these names.

    Raises ConnectionError where a crawl cannot be read, and UnorderedError as its listing does.
    """
    found = [STILL.to_frame()]
    if has_takedowns(lake):
        for source in sorted(lake.project.sources):
            say(f"looking through the crawl of {source}")
            found += _of_source(lake, source)
    return pl.concat(found).sort("place")


def crawl_lines(rows: pl.DataFrame) -> Iterator[str]:
    """What a person is to know of STILL beside the whole files: what is inside of others."""
    inside = rows.filter(pl.col("kind") != "file")
    for (uri,), some in inside.group_by("uri", maintain_order=True):
        places = some["place"].str.strip_prefix(f"{uri}:").to_list()
        told = ", ".join(places[:SHOWN]) + (", …" if len(places) > SHOWN else "")
        yield f"{uri} has {len(places)} {some['kind'][0]}s of them: {told}"
    if rows.is_empty():
        yield "no crawl has anything of what is taken down"
        return
    files = rows.filter(kind="file").height
    yield (
        f"{files} files, and {inside.height} parts of {inside['uri'].n_unique()} others: "
        f"{rows['image_key'].n_unique()} images"
    )


def _of_source(lake: Lake, source: str) -> list[pl.DataFrame]:
    config, crawls = lake.project.sources[source], lake.project.profile.crawl
    reader, listing = ShardReader(crawls.shards), lake.crawls.listed(source).frame
    crawl = read_crawl(lake.bucket, config.crawl, reader, listing)
    files = pl.concat([crawl.images, crawl.records])
    files = files.with_columns(file_keys(config, files["name"]))
    named = files.filter(is_taken(lake, source, files))
    member = pl.col("offset").is_not_null()
    found = [
        named.select(
            "image_key",
            kind=pl.when(member).then(pl.lit("member")).otherwise(pl.lit("file")),
            place=pl.when(member).then(pl.format("{}:{}", "uri", "name")).otherwise("uri"),
            uri="uri",
            offset="offset",
            length="length",
        )
    ]
    several = crawl.records.filter(file_keys(config, crawl.records["name"]).is_null())
    for group in several.iter_slices(FILES):
        rows, _ = parse_files(config, crawls.records, group)
        mine = rows.filter(is_taken(lake, source, rows))
        found.append(
            mine.select(
                "image_key",
                kind=pl.lit("row"),
                place="record_place",
                uri=group["uri"].gather(mine["file"]),
                offset=pl.lit(None, pl.Int64),
                length=pl.lit(None, pl.Int64),
            )
        )
    return found
