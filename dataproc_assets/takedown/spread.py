"""What entries mean in the lake as it is: the images they name, their copies, and their prints."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from dataproc_assets.defs.tables import details
from dataproc_assets.defs.takedowns import enter, own_parts, vectors
from dataproc_assets.safety.taken import follows, named
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import LEDGER_SCHEMAS, append_ledger, read_ledger
from dataproc_assets.storage.lookup import matching, rows_of
from dataproc_assets.storage.takedowns import add_takedowns, read_takedowns, with_ids

PRINTED = ("pixels_sha256", "pixels_md5", "pixels_phash")


@dataclass(frozen=True)
class Meant:
    """What entries mean.

    Attributes:
        images: `image_key`, `of` (the entry's id), `scope`, `why`: named, or a copy of one named.
        follow: the further entries, `kind`, `value`, `of`, `reason`.
        prints: of the images, in the ledger's columns; of one whose copies may stay, its hashes.
    """

    images: pl.DataFrame
    follow: pl.DataFrame
    prints: pl.DataFrame


IMAGES = pl.Schema(dict.fromkeys(("image_key", "of", "scope", "why"), pl.String))


def meant(lake: Lake, entries: pl.DataFrame) -> Meant:
    """What entries, with their ids, mean in the lake as it is; nothing is written.

    A stage that was never made has no images yet: what comes later is known by the entries.
    """
    known = read_ledger(lake.store, "print")
    follow = [_by_records(lake, source, entries, known) for source in sorted(lake.project.sources)]
    asked = entries.filter(pl.col("kind") == "hash").select(of="id", hash="value")
    follow += [_by_hash(lake, asked), _by_id(lake, asked)]
    further = pl.concat(follow).unique(["kind", "value"], keep="first", maintain_order=True)
    said = further.join(entries.select(of="id", scope="scope"), on="of")
    both = pl.concat(
        [
            entries.select("kind", "value", "scope", of="id", why=pl.lit("named")),
            said.select("kind", "value", "scope", "of", why="reason"),
        ]
    )
    images = pl.concat(
        [
            IMAGES.to_frame(),
            *(_named(lake, source, both) for source in sorted(lake.project.sources)),
        ]
    )
    images = _with_copies(lake, images)
    prints = _prints(lake, images)
    images = _with_same_files(lake, images, prints)
    copies = images.filter(pl.col("why") != "named").select(
        "of", kind=pl.lit("key"), value="image_key", reason=pl.lit("a copy of it")
    )
    columns = ["kind", "value", "of", "reason"]
    further = pl.concat([further.select(columns), copies.select(columns)])
    return Meant(images, further, prints.select(LEDGER_SCHEMAS["print"].names()))


def enter_all(lake: Lake, entries: pl.DataFrame) -> Meant:
    """Write what entries mean, and then the entries.

    They come last: where that was ended half-way, it is done again as a whole, and what was
    written stays as it is.
    """
    known = with_ids(entries)
    found = meant(lake, known)
    append_ledger(lake.store, "print", found.prints)
    enter(lake, found.follow, pl.concat([read_takedowns(lake.store), known]))
    add_takedowns(lake.store, entries)
    return found


def _by_records(
    lake: Lake, source: str, entries: pl.DataFrame, prints: pl.DataFrame
) -> pl.DataFrame:
    if lake.info("records", source) is None:
        return follows_nothing()
    return follows(lake.read("records", source), entries, prints, source)


def follows_nothing() -> pl.DataFrame:
    """No further entry."""
    return pl.DataFrame(schema=dict.fromkeys(("kind", "value", "of", "reason"), pl.String))


def _by_hash(lake: Lake, asked: pl.DataFrame) -> pl.DataFrame:
    """The entries of files whose SHA-256 or MD5 is asked for: `of`, `hash`."""
    found = [follows_nothing()]
    for source in sorted(lake.project.sources) if asked.height else ():
        path = lake.path("metrics_merged", source)
        if lake.info("metrics_merged", source) is None:
            continue
        for column in ("pixels_sha256", "pixels_md5"):
            where = pl.col(column).is_in(asked["hash"].implode())
            rows = matching(lake.store, path, where, ["image_key", column])
            hits = rows.rename({column: "hash"}).join(asked, on="hash")
            found.append(
                hits.select(
                    kind=pl.lit("key"), value="image_key", of="of", reason=pl.lit("the same file")
                )
            )
    return pl.concat(found)


def _by_id(lake: Lake, asked: pl.DataFrame) -> pl.DataFrame:
    """The entries of images whose id is asked for, as it is or as a release bound it."""
    ids, found = asked.rename({"hash": "image_id"}), [follows_nothing()]
    bound = read_ledger(lake.store, "identity").select("image_id", value="founding_key")
    known = [bound]
    if lake.info("images") is not None and ids.height:
        where = pl.col("image_id").is_in(ids["image_id"].implode())
        rows = matching(lake.store, lake.path("images"), where, ["image_id", "representative"])
        known.append(rows.rename({"representative": "value"}))
    for rows in known:
        hits = rows.join(ids, on="image_id").with_columns(kind=pl.lit("key"))
        told = hits.with_columns(reason=pl.lit("the image of that id"))
        found.append(told.select("kind", "value", "of", "reason"))
    return pl.concat(found)


def _named(lake: Lake, source: str, entries: pl.DataFrame) -> pl.DataFrame:
    """The known keys of a source that entries name by key or by post, each once."""
    mine = entries.filter(pl.col("value").str.starts_with(f"{source}/"))
    tables = [name for name in ("inventory", "todo") if lake.info(name, source)]
    if mine.is_empty() or not tables:
        return IMAGES.to_frame()
    rows = pl.concat([lake.read(name, source).select("image_key") for name in tables]).unique()
    own = own_parts(lake.project.sources[source])
    keys = named(rows, mine, source, own).to_frame()
    by_key = mine.filter(pl.col("kind") == "key").rename({"value": "image_key"})
    by_post = mine.filter(pl.col("kind") == "post").with_columns(
        post=pl.col("value").str.split("/").list.last()
    )
    hits = [
        keys.join(by_key, on="image_key"),
        keys.with_columns(**own).join(by_post, on="post"),
    ]
    rows = pl.concat([hit.select(IMAGES.names()) for hit in hits])
    first = rows.sort("image_key", "scope", pl.col("why") != "named", "of")
    return first.unique("image_key", keep="first", maintain_order=True)


def _with_copies(lake: Lake, images: pl.DataFrame) -> pl.DataFrame:
    """With all that the search found to be the same picture, where copies go too."""
    wide = images.filter(pl.col("scope") == "picture")
    if wide.is_empty() or lake.info("members") is None:
        return images.sort("image_key")
    members = rows_of(lake.store, lake.path("members"), wide["image_key"])
    own = members.select("image_key", "component").join(wide, on="image_key")
    first = own.sort("component", "image_key").unique("component", keep="first")
    where = pl.col("component").is_in(first["component"].implode())
    every = matching(lake.store, lake.path("members"), where, ["image_key", "component"])
    copies = every.join(first.select("component", "of", "scope"), on="component")
    copies = copies.join(images, on="image_key", how="anti").with_columns(why=pl.lit("a copy"))
    return pl.concat([images, copies.select(IMAGES.names())]).sort("image_key")


def _with_same_files(lake: Lake, images: pl.DataFrame, prints: pl.DataFrame) -> pl.DataFrame:
    """With the copies that are the same file, also where other copies may stay."""
    asked = prints.select("of", hash="sha256").unique()
    same = _by_hash(lake, asked).select("of", image_key="value")
    owners = images.select("of", "scope").unique("of", keep="first", maintain_order=True)
    new = same.join(owners, on="of").with_columns(why=pl.lit("the same file"))
    new = new.join(images, on="image_key", how="anti").unique("image_key", keep="first")
    return pl.concat([images, new.select(IMAGES.names())]).sort("image_key")


def _prints(lake: Lake, images: pl.DataFrame) -> pl.DataFrame:
    schema = LEDGER_SCHEMAS["print"]
    found = [schema.to_frame()]
    model = lake.parts.fingerprint(lake.project.dedup.embedding)
    hashes = dict(zip(("sha256", "md5", "phash"), PRINTED, strict=True))
    wide = pl.col("scope") == "picture"
    for source in _sources(images["image_key"]):
        mine = images.filter(pl.col("image_key").str.starts_with(f"{source}/"))
        if lake.info("metrics_merged", source) is None:
            continue
        rows = rows_of(lake.store, lake.path("metrics_merged", source), mine["image_key"])
        rows = rows.select("image_key", **hashes).drop_nulls("sha256")
        rows = rows.join(mine.select("image_key", "of", "scope"), on="image_key")
        if rows.is_empty():
            continue
        rows = rows.join(_thumbs(lake, source, rows["image_key"]), on="image_key", how="left")
        rows = rows.join(vectors(lake, source, rows["image_key"]), on="image_key", how="left")
        rows = rows.with_columns(model=pl.lit(model)).with_columns(
            pl.when(wide).then(name) for name in ("phash", "detail", "vector", "model")
        )
        found.append(rows.select(schema.names()).cast(schema))
    return pl.concat(found)


def _thumbs(lake: Lake, source: str, keys: pl.Series) -> pl.DataFrame:
    """`image_key` and `detail` (Binary) of some images."""
    found = details(lake, source, keys).drop_nulls("detail")
    values = [value.to_numpy().tobytes() for value in found["detail"]] if found.height else []
    return found.select("image_key", detail=pl.Series(values, dtype=pl.Binary))


def _sources(keys: Iterable[str]) -> list[str]:
    return sorted({key.partition("/")[0] for key in keys})
