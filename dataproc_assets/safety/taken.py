"""Which images a takedown means: those that it names, and those whose records say that they are."""

import polars as pl

from dataproc_assets.safety.matching import joined, text_spelling
from dataproc_assets.transforms.post_urls import url_site, url_words

FOLLOWS = pl.Schema(dict.fromkeys(("kind", "value", "of", "reason"), pl.String))


def named(
    rows: pl.LazyFrame, entries: pl.DataFrame, source: str, own: dict[str, pl.Expr]
) -> pl.Series:
    """The keys of the rows that an entry names by key or by post, sorted.

    Args:
        rows: `image_key` of one source.
        entries: of the ledger: `kind`, `value`.
        own: `post`, the native id of the row's post, and, where two keys may stand for one file,
            `asset`, that file's id. Both read `image_key`.
    """
    names = entries.lazy().select("kind", "value").unique()
    mine = names.filter(pl.col("value").str.starts_with(f"{source}/"))
    keys = mine.filter(pl.col("kind") == "key").select(image_key="value")
    posts = mine.filter(pl.col("kind") == "post").select(
        post=pl.col("value").str.split("/").list.last()
    )
    known = rows.select("image_key", **own)
    hits = [known.join(keys, on="image_key", how="semi"), known.join(posts, on="post", how="semi")]
    if "asset" in own:
        assets = keys.select(own["asset"].alias("asset")).drop_nulls()
        hits.append(known.join(assets, on="asset", how="semi"))
    found = pl.concat([hit.select("image_key") for hit in hits]).unique().sort("image_key")
    return found.collect()["image_key"]


def follows(
    records: pl.LazyFrame, entries: pl.DataFrame, prints: pl.DataFrame, source: str
) -> pl.DataFrame:
    """The entries that follow from what records say, in FOLLOWS: `of` is the id they follow from.

    - An artist's work: its whole post. `pixiv/7` is a user's id on a platform; any other value is
      a name or tag, on all platforms, however it is spelt.
    - The post of a URL, by whatever name its site is passed around.
    - A file whose MD5 the platform tells, and which was taken down.
    - A post that names a pixiv work that was taken down as its source, where copies go too.

    Args:
        records: `image_key`, `post_id`, `post_url`, `artist_ids`, `artist_names`, `tags_artist`,
            `md5`, `linked_pixiv_id`, `linked_pixiv_page`.
        entries: of the ledger, with `id`.
        prints: `of`, `md5`.
    """
    found = [_by_artist(records, entries, source), _by_url(records, entries, source)]
    found.append(_by_md5(records, entries, prints))
    rows = pl.concat([*found, _by_link(records, entries)]).collect()
    return (
        rows.unique(["kind", "value"], keep="first").select(FOLLOWS.names()).sort("kind", "value")
    )


def _by_artist(records: pl.LazyFrame, entries: pl.DataFrame, source: str) -> pl.LazyFrame:
    asked = entries.lazy().filter(pl.col("kind") == "artist").select(of="id", value="value")
    user = pl.col("value").str.extract(f"^{source}/(.+)$")
    ids = asked.select("of", artist=user).drop_nulls()
    names = asked.filter(~pl.col("value").str.contains("/", literal=True))
    names = names.select("of", artist=_spelt("value"))
    post = records.select(
        "post_id",
        "artist_ids",
        names=pl.concat_list(
            pl.col("artist_names").fill_null([]), pl.col("tags_artist").fill_null([])
        ),
    )
    by_id = post.select("post_id", artist="artist_ids").explode("artist")
    by_name = post.select("post_id", artist="names").explode("artist").drop_nulls("artist")
    by_name = by_name.with_columns(_spelt("artist")).filter(pl.col("artist") != "")
    hits = pl.concat([by_id.join(ids, on="artist"), by_name.join(names, on="artist")])
    value = pl.format("{}/{}", pl.lit(source), "post_id")
    return _entries(hits.drop_nulls("post_id"), "post", value, "by the artist")


def _by_url(records: pl.LazyFrame, entries: pl.DataFrame, source: str) -> pl.LazyFrame:
    asked = entries.filter(pl.col("kind") == "url").select("id", "value")
    told = [(of, *url_words(url)) for of, url in asked.iter_rows()]
    rows = [(of, site, word) for of, site, words in told for word in words]
    names = pl.LazyFrame(
        rows, schema=dict.fromkeys(("of", "site", "post_id"), pl.String), orient="row"
    )
    post = records.select("post_id", site=url_site(pl.col("post_url")))
    hits = post.join(names, on=["site", "post_id"])
    return _entries(hits, "post", pl.format("{}/{}", pl.lit(source), "post_id"), "by its URL")


def _by_md5(records: pl.LazyFrame, entries: pl.DataFrame, prints: pl.DataFrame) -> pl.LazyFrame:
    asked = entries.filter(pl.col("kind") == "hash").select(of="id", md5="value")
    known = pl.concat([asked, prints.select("of", "md5").drop_nulls()]).lazy()
    mine = records.select("image_key", md5=pl.col("md5").str.to_lowercase())
    hits = mine.join(known, on="md5")
    return _entries(hits, "key", pl.col("image_key"), "the same file, as its record says")


def _by_link(records: pl.LazyFrame, entries: pl.DataFrame) -> pl.LazyFrame:
    wide = entries.lazy().filter(pl.col("scope") == "picture")
    linked = records.select("image_key", "linked_pixiv_id", "linked_pixiv_page")
    post = linked.select("image_key", value=pl.format("pixiv/{}", "linked_pixiv_id"))
    page = linked.select(
        "image_key", value=pl.format("pixiv/{}_p{}", "linked_pixiv_id", "linked_pixiv_page")
    )
    hits = [
        rows.drop_nulls().join(
            wide.filter(pl.col("kind") == kind).select("value", of="id"), on="value"
        )
        for kind, rows in (("post", post), ("key", page))
    ]
    return _entries(pl.concat(hits), "key", pl.col("image_key"), "names it as its source")


def _entries(hits: pl.LazyFrame, kind: str, value: pl.Expr, reason: str) -> pl.LazyFrame:
    return hits.select(kind=pl.lit(kind), value=value, of=pl.col("of"), reason=pl.lit(reason)).sort(
        "value", "of"
    )


def _spelt(name: str) -> pl.Expr:
    return joined(text_spelling(pl.col(name)))
