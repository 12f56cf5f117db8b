"""Made posts of two sources, 25 tags each, as the stages before `merged` would leave them.

Two posts in five are pixiv's; every other of those is on danbooru too. Tags follow a power law,
as booru tags do; a fifth of the posts has a score below the prefilter's threshold.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import polars_hash as plh

from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA, RECORD_SCHEMA
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.spill import Spill
from dataproc_assets.transforms.nested import nest, offsets_of

TAGS = 25
SEEN = 8  # tags of the tagger
VOCABULARY = 50_000
BATCH = 1 << 18
CATEGORIES = ("general", "character", "copyright", "artist", "meta")
SHARES = (0.8, 0.07, 0.05, 0.04, 0.04)
RATINGS = ("general", "sensitive", "questionable", "explicit")
FIRST = int(datetime(2008, 1, 1, tzinfo=UTC).timestamp())
SECONDS = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()) - FIRST
MEMBERS = {"image_key": pl.String, "source": pl.String, "component": pl.String} | {
    "image_id": pl.String, "representative": pl.String, "role": pl.String, "keep": pl.Boolean,
    "drop_reason": pl.String, "best_in_source": pl.Boolean,
}  # fmt: skip


def vocabulary() -> tuple[pl.Series, np.ndarray]:
    """The tags as booru spell them, and the category of each."""
    rng = np.random.default_rng(0)
    words = ["long", "blue", "hair", "eyes", "open", "skirt", "sitting", "flower", "holding", "sky"]
    names = [
        f"{words[n % 10]}_{words[n // 10 % 10]}_{n}" if n % 3 else f"{words[n % 10]}_{n}"
        for n in range(VOCABULARY)
    ]
    names[:6] = ["1girl", "solo", "smile", "^_^", "bad_id", "translation_request"]
    kinds = rng.choice(len(CATEGORIES), VOCABULARY, p=SHARES)
    kinds[:6] = [0, 0, 0, 0, 4, 4]
    return pl.Series("tag", names), kinds.astype(np.uint8)


NAMES, KINDS = vocabulary()


def posts(source: str, start: int, rows: int) -> pl.DataFrame:
    """Posts `start` and on: `n` and what is drawn of each; twins are of one day."""
    rng, both = np.random.default_rng([start, len(source)]), np.random.default_rng([start])
    number = np.arange(start, start + rows)
    return pl.DataFrame(
        {
            "n": number,
            "clip_score": rng.uniform(1.0, 2.0, rows).astype(np.float32),
            "favourites": rng.zipf(1.6, rows).clip(max=10**6).astype(np.int64),
            "created": (FIRST + both.integers(0, SECONDS, rows)) * 1_000_000,
            "rating": rng.choice(len(RATINGS), rows, p=[0.5, 0.3, 0.1, 0.1]),
            "width": rng.integers(600, 2000, rows, dtype=np.int32),
            "height": rng.integers(600, 2000, rows, dtype=np.int32),
        }
    ).with_columns(
        image_key=key(source, pl.col("n")),
        created=pl.col("created").cast(pl.Datetime("us", "UTC")),
        rating=pl.lit(pl.Series(RATINGS)).gather(pl.col("rating")),
    )


def key(source: str, number: pl.Expr) -> pl.Expr:
    """The key of a post."""
    return pl.format("danbooru/{}" if source == "danbooru" else "pixiv/{}_p0", number)


def codes(rows: int, each: int, seed: list[int]) -> np.ndarray:
    """Codes of tags, (rows, each), none twice in a row."""
    rng = np.random.default_rng(seed)
    drawn = np.minimum(rng.zipf(1.25, (rows, each)) - 1, VOCABULARY // each - 1)
    return drawn * each + np.arange(each)


def tag_lists(drawn: np.ndarray, of: np.ndarray, kind: int) -> pl.Series:
    """The tags of one category as lists."""
    chosen = of == kind
    names = NAMES.gather(drawn[chosen])
    return nest(names, offsets_of(chosen.sum(axis=1)))


def records(source: str, rows: pl.DataFrame) -> pl.DataFrame:
    """RECORD_SCHEMA: danbooru knows categories, pixiv does not."""
    drawn = codes(rows.height, TAGS, [rows["n"][0], len(source)])
    of = KINDS[drawn] if source == "danbooru" else np.zeros_like(drawn)
    lists = {f"tags_{name}": tag_lists(drawn, of, kind) for kind, name in enumerate(CATEGORIES)}
    number, on_pixiv = pl.col("n"), source == "pixiv"
    known = rows.with_columns(
        source=pl.lit(source),
        post_id=number.cast(pl.String),
        kind=pl.lit("image"),
        artist_ids=pl.concat_list((number % 40_000).cast(pl.String)),
        artist_names=pl.concat_list(pl.format("artist_{}", number % 40_000)),
        score=pl.col("favourites").cast(pl.Float64),
        ai=pl.lit("no" if on_pixiv else "unknown"),
        status=pl.lit("active"),
        title=pl.format("work {}", number) if on_pixiv else pl.lit(None, pl.String),
        caption=pl.format("A picture of the day {}.", number) if on_pixiv else pl.lit(None),
        **lists,
    )
    missing = [
        pl.lit(None, dtype).alias(name)
        for name, dtype in RECORD_SCHEMA.items()
        if name not in known.columns
    ]
    return known.with_columns(missing).select(RECORD_SCHEMA.names()).cast(dict(RECORD_SCHEMA))


def metrics(source: str, rows: pl.DataFrame) -> pl.DataFrame:
    """`metrics_merged` of posts that were all scored."""
    drawn = codes(rows.height, SEEN, [rows["n"][0], len(source), 1])
    p = np.tile(np.linspace(0.9, 0.2, SEEN, dtype=np.float32), rows.height)
    names = pl.Series(CATEGORIES)
    tags = pl.DataFrame(
        {
            "tag": NAMES.gather(drawn.ravel()),
            "category": names.gather(KINDS[drawn.ravel()]),
            "p": p,
        }
    ).to_struct("tagger_tags")
    offsets = np.arange(0, rows.height * SEEN + 1, SEEN)
    return rows.select(
        "image_key",
        metrics_status=pl.lit("ok"),
        metrics_error=pl.lit(None, pl.String),
        clip_score="clip_score",
        softmax_nsfw=pl.lit(0.1, pl.Float32),
        pixels_width="width",
        pixels_height="height",
        pixels_alpha_share=pl.lit(0.0, pl.Float32),
        pixels_frames=pl.lit(1, pl.Int32),
        pixels_sha256=pl.format("{}{}", pl.lit("0" * 48), pl.col("n") + 10**15),
        tagger_tags=nest(tags, offsets),
    )


def eligibility(rows: pl.DataFrame) -> pl.DataFrame:
    """ELIGIBILITY_SCHEMA of posts that are all eligible."""
    return rows.select(
        "image_key",
        has_image=pl.lit(True),
        has_record=pl.lit(True),
        intake_drop=pl.lit(None, pl.String),
        intake_drops=pl.lit([], pl.List(pl.String)),
        image_ext=pl.lit("webp"),
    ).cast(dict(ELIGIBILITY_SCHEMA))


def members(source: str, rows: pl.DataFrame, twins: int, threshold: float) -> pl.DataFrame:
    """MEMBERS: a pixiv post below `twins` with an even number is danbooru's of that number."""
    other = "pixiv" if source == "danbooru" else "danbooru"
    seen = posts(other, rows["n"][0], rows.height)["clip_score"]  # drawn alike, batch by batch
    number, kept = pl.col("n"), pl.col("clip_score") >= threshold
    paired = (number % 2 == 0) & (number < twins)
    both = paired & (seen >= threshold)
    first = source == "danbooru"
    standing = kept if first else kept & ~both
    role = (
        pl.when(standing)
        .then(pl.lit("representative"))
        .when(kept)
        .then(pl.lit("duplicate"))
        .otherwise(pl.lit("dropped"))
    )
    own = pl.when(paired).then(key("danbooru", number)).otherwise("image_key")
    known = rows.select(
        "image_key",
        source=pl.lit(source),
        component=own,
        image_id=pl.when(kept | both).then(own),
        representative=pl.when(standing).then("image_key").when(both).then(key(other, number)),
        role=role,
        keep=standing,
        drop_reason=pl.lit(None, pl.String),
        best_in_source=pl.lit(True),
    )
    hashed = plh.col("image_id").nchash.md5()  # type: ignore[attr-defined]
    return known.with_columns(image_id=hashed).cast(MEMBERS)


def write(lake: Lake, rows: int, folder: Path, threshold: float) -> None:
    """Write the inputs of curation for so many posts into a lake's tables."""
    sizes = {"danbooru": rows * 3 // 5, "pixiv": rows - rows * 3 // 5}
    buckets, memory = lake.project.profile.storage.table_buckets, 1024
    everyone = Spill(folder / "members", buckets, memory)
    for source, size in sizes.items():
        tables = {n: Spill(folder / source / n, buckets, memory) for n in ("r", "m", "t")}
        for start in range(0, size, BATCH):
            some = posts(source, start, min(BATCH, size - start))
            tables["r"].add(records(source, some))
            tables["m"].add(metrics(source, some))
            tables["t"].add(eligibility(some))
            everyone.add(members(source, some, min(sizes.values()), threshold))
        for name, table in (("r", "records"), ("m", "metrics_merged"), ("t", "todo")):
            _drain(lake, tables[name], table, source)
    _drain(lake, everyone, "members", None)


def _drain(lake: Lake, spill: Spill, table: str, partition: str | None) -> None:
    from dataproc_assets.storage import layout
    from dataproc_assets.storage.tables import TableWriter

    path = layout.stage_path(table, partition)
    writer = TableWriter(lake.store, path, key="image_key", buckets=spill.parts)
    for part in range(spill.parts):
        writer.add(spill.take(part), spill.parts, part)
    writer.finish()
