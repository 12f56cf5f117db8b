"""Takedowns where images come in: what the ledger names, and what is known again by what it is."""

import polars as pl

from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.dedup.items import quantised
from dataproc_assets.dedup.prints import FOUND, near_prints, same_bytes, same_picture
from dataproc_assets.defs.tables import details
from dataproc_assets.safety.taken import follows, named
from dataproc_assets.sources.layouts import image_keys, key_part
from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import shards_path
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.scrub import scrub_scores
from dataproc_assets.storage.shard_cache import ShardCache
from dataproc_assets.storage.takedowns import add_takedowns, read_takedowns


def taken_keys(lake: Lake, source: str, rows: pl.LazyFrame | pl.DataFrame) -> pl.Series:
    """The keys among a source's rows that the ledger names by key or by post, sorted."""
    own = own_parts(lake.project.sources[source])
    return named(rows.lazy(), read_takedowns(lake.store), source, own)


def without_taken(lake: Lake, source: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without those of the keys that the ledger names, in their order."""
    return rows.filter(~is_taken(lake, source, rows))


def is_taken(lake: Lake, source: str, rows: pl.DataFrame) -> pl.Series:
    """Whether the ledger names a row's key (Boolean); a row without a key is not named."""
    taken = taken_keys(lake, source, rows.select("image_key").drop_nulls())
    return rows["image_key"].is_in(taken.implode()).fill_null(False)


def without_names(places: pl.DataFrame, source: SourceConfig, taken: pl.Series) -> pl.DataFrame:
    """What was set aside, as `place` and `reason`, less what names a key that was taken down."""
    if taken.is_empty():
        return places
    file = places.select(image_keys(pl.col("place"), source).alias("key"))["key"]
    told = places["reason"].str.contains_any(taken.to_list())
    return places.filter(~(file.is_in(taken.implode()).fill_null(False) | told))


def has_takedowns(lake: Lake) -> bool:
    """Whether there is an entry at all."""
    return not read_takedowns(lake.store).is_empty()


def of_taken_file(lake: Lake, source: str, names: pl.Series) -> pl.Series:
    """Whether an image's or a record's file is named as an image that was taken down is."""
    keys = file_keys(lake.project.sources[source], names)
    return is_taken(lake, source, keys.to_frame())


def file_keys(source: SourceConfig, names: pl.Series) -> pl.Series:
    """The `image_key` that an image's or a record's file is named by; null where it is by none."""
    image = pl.col("name").str.replace(r"\.[^./]+$", f".{source.crawl.extensions[0]}")
    rows = names.rename("name").to_frame()
    return rows.select(image_key=image_keys(image, source))["image_key"]


def note_records(lake: Lake, source: str, records: pl.DataFrame) -> int:
    """Enter into the ledger what follows from records, and return how many entries were new."""
    entries, prints = read_takedowns(lake.store), read_ledger(lake.store, "print")
    if entries.is_empty():
        return 0
    return enter(lake, follows(records.lazy(), entries, prints, source))


def note_copies(lake: Lake, source: str, rows: pl.DataFrame) -> int:
    """Enter the images that show a picture that was taken down; returns how many were new.

    Args:
        rows: `image_key`, `pixels_sha256`, `pixels_md5`, `pixels_phash`.
    """
    asked = read_takedowns(lake.store).filter(pl.col("kind") == "hash")
    prints = read_ledger(lake.store, "print")
    images = rows.select(
        "image_key", sha256="pixels_sha256", md5="pixels_md5", phash="pixels_phash"
    )
    hashes = asked.select(of="id", sha256="value", md5="value")
    found = [same_bytes(images, pl.concat([hashes, prints.select(hashes.columns)]))]
    pairs = near_prints(images, prints, lake.project.dedup)
    pairs = pairs.join(found[0], on="image_key", how="anti")
    if pairs.height:
        found.append(_same_picture(lake, source, pairs, images, prints))
    hits = pl.concat([FOUND.to_frame(), *found])
    return enter(lake, hits.select("of", "reason", kind=pl.lit("key"), value="image_key"))


def scrub_source(lake: Lake, source: str) -> list[str]:
    """Take what the ledger names out of all that was computed of a source's pixels."""
    entries, own = read_takedowns(lake.store), own_parts(lake.project.sources[source])
    if entries.is_empty():
        return []

    def taken(keys: pl.Series) -> pl.Series:
        rows = keys.rename("image_key").to_frame().lazy()
        mine = rows.filter(pl.col("image_key").str.starts_with(f"{source}/"))
        return named(mine, entries, source, own)

    return scrub_scores(lake.store, source, taken, frame_digest(entries))


def scrub_shards(lake: Lake, source: str) -> None:
    """Take the names of what the ledger names out of what is kept of a source's tar shards."""

    def gone(names: list[str]) -> set[str]:
        members = pl.Series("name", names, pl.String)
        return set(members.filter(of_taken_file(lake, source, members)))

    ShardCache(lake.store, shards_path(source)).forget(gone)


def enter(lake: Lake, found: pl.DataFrame, entries: pl.DataFrame | None = None) -> int:
    """Append entries that follow from others, and return how many were new.

    Each names the entry that a person made, and has its date and scope.

    Args:
        found: `kind`, `value`, `of`, `reason`.
        entries: those that they follow from, with `id`; by default those of the ledger.
    """
    entries = read_takedowns(lake.store) if entries is None else entries
    root = pl.when(pl.col("of_parent") == "").then("of").otherwise("of_parent")
    parents = entries.select(of="id", of_parent="of", date="date", scope="scope")
    rows = found.join(parents, on="of", how="inner").with_columns(of=root)
    return add_takedowns(lake.store, rows.select(entries.drop("id").columns))


def own_parts(source: SourceConfig) -> dict[str, pl.Expr]:
    """What `named` asks of a source: the post and, where there is one, the asset of a key."""
    parts = {"post": key_part(source, "id")}
    return parts | ({"asset": key_part(source, "asset")} if "asset" in source.key_parts else {})


def vectors(lake: Lake, source: str, keys: pl.Series) -> pl.DataFrame:
    """`image_key` and `vector` (Binary, int16, quantised) of some of a source's images."""
    metric = lake.project.dedup.embedding
    column = f"{metric}_embedding"
    rows = [
        part.filter(pl.col("image_key").is_in(keys.implode()), pl.col(column).is_not_null())
        .select("image_key", column)
        .collect()
        for part in map(lake.parts.scan, lake.parts.holding(metric, source, keys))
    ]
    found = [
        some.select("image_key").with_columns(
            vector=pl.Series([row.tobytes() for row in quantised(some["image_key"], some[column])])
        )
        for some in rows
        if some.height
    ]
    empty = pl.DataFrame(schema={"image_key": pl.String, "vector": pl.Binary})
    return pl.concat([empty, *found]).unique("image_key", keep="last", maintain_order=True)


def _same_picture(
    lake: Lake, source: str, pairs: pl.DataFrame, images: pl.DataFrame, prints: pl.DataFrame
) -> pl.DataFrame:
    keys = pairs["image_key"].unique().sort()
    thumbs, embedded = details(lake, source, keys), vectors(lake, source, keys)
    near = images.join(pairs, on="image_key", how="semi")
    near = near.join(thumbs, on="image_key", how="left").join(embedded, on="image_key", how="left")
    model = lake.parts.fingerprint(lake.project.dedup.embedding)
    return same_picture(pairs, near, prints, lake.project.dedup, model)
