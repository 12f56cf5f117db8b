"""One row an image: what its sources say of it, merged by trust, each value with its reason."""

import numpy as np
import polars as pl

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.merge_facts import RANKED, component_facts
from dataproc_assets.transforms.merge_fields import merge_fields
from dataproc_assets.transforms.merge_lists import CATEGORIES
from dataproc_assets.transforms.merge_tags import merge_tags
from dataproc_assets.transforms.nested import nest, offsets_of
from dataproc_assets.transforms.trust import Trust

MEMBER_COLUMNS = ("image_key", "source", "component", "image_id", "role", "best_in_source")
FACT_COLUMNS = tuple(RANKED)
_OF_REPRESENTATIVE = {
    "sha256": "pixels_sha256",
    "width": "pixels_width",
    "height": "pixels_height",
    **{name: name for name in ("pixels", "aspect", "bucket_width", "bucket_height")},
}
_SAID = ("artist_names", "title", "caption", "created", "tier", "tier_percentile")
_TAGS = tuple(f"tags_{category}" for category in CATEGORIES)
ROW_COLUMNS = ("image_key", "source", *_OF_REPRESENTATIVE.values(), *_SAID, *_TAGS, "tagger_tags")
CAPTIONS = {"image_key": pl.String(), "caption_text": pl.String()}
_COLUMNS = (
    *("image_id", "representative", "members", "sources", *_OF_REPRESENTATIVE),
    *("created", "year", "period", *RANKED),
    *("artist", "title", "caption", "tier", "tier_percentile", "tags", "tags__losing"),
)


def merge_images(
    members: pl.DataFrame,
    rows: pl.DataFrame,
    curation: CurationConfig,
    trust: Trust,
    captions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The table `images`, sorted by image_id: one row an image that has a representative.

    Args:
        members: `MEMBER_COLUMNS` of all members.
        rows: the augmented rows of all sources without prefixes: `ROW_COLUMNS` and `FACT_COLUMNS`,
            opt_out Boolean.
        curation: seed, periods and `merge`.
        trust: by source; every source of `members` must be in it.
        captions: image_key and caption_text of the representatives, where they were captioned;
            the source `captioner` of the field `caption`.

    Pixels, sizes and bucket are the representative's. Fields are drawn, and tags merged, over the
    best member of each source that was not dropped. Rating, ai and opt_out look at the whole
    component, dropped members too.
    """
    facts = image_facts(known_of(members, rows))
    return merge_part(members, rows, facts, curation, trust, captions)


def merges() -> pl.Expr:
    """Whether something of a member's row may come into its image, Boolean."""
    return _stands() | _speaks()


def known_of(members: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """What `image_facts` needs of members: component, source, `FACT_COLUMNS`, and `image_id` of
    those that stand for one."""
    facts = rows.select("image_key", *FACT_COLUMNS)
    stands = pl.when(_stands()).then("image_id").alias("image_id")
    return members.join(facts, on="image_key", how="left").select(
        "component", "source", stands, *FACT_COLUMNS
    )


def image_facts(known: pl.DataFrame) -> pl.DataFrame:
    """The facts of each image: image_id and the columns of `component_facts`.

    `known` are whole components, as `known_of` gives them.
    """
    of = known.select("component", "image_id").drop_nulls("image_id")
    return of.join(component_facts(known), on="component", how="left").drop("component")


def merge_part(
    members: pl.DataFrame,
    rows: pl.DataFrame,
    facts: pl.DataFrame,
    curation: CurationConfig,
    trust: Trust,
    captions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """What `merge_images` gives, of those images alone that have a representative in `members`.

    Args:
        members: all members of some images; those without an image_id are passed over.
        rows: `ROW_COLUMNS` of these members at least, in any order.
        facts: as `image_facts` gives them, of these images at least.
    """
    standing = (
        members.filter(_stands())
        .select("image_id", representative="image_key")
        .drop_nulls("image_id")
        .sort("image_id")
    )
    ids = standing["image_id"]
    numbered = standing.select("image_id").with_row_index("image")
    known = members.join(numbered, on="image_id", how="inner").select(
        "image", "image_key", "source", "role", "best_in_source"
    )
    placed = rows.select("image_key").join(
        known.select(
            "image_key",
            tags_of=pl.when(_speaks()).then("image"),
            tagged_of=pl.when(_stands()).then("image"),
        ),
        on="image_key",
        how="left",
        maintain_order="left",
    )
    rows = rows.with_columns(placed["tags_of"], placed["tagged_of"])
    said = rows.select(pl.col("tags_of").alias("image"), "source", "tags_artist", *_SAID)
    seen = (captions if captions is not None else pl.DataFrame(schema=CAPTIONS)).join(
        standing.select(image_key="representative").with_row_index("image"), on="image_key"
    )
    images = pl.concat(
        [
            standing,
            _lineage(known, len(ids)),
            _of_representative(rows, len(ids)),
            numbered.join(facts, on="image_id", how="left", maintain_order="left").select(
                pl.exclude("image", "image_id")
            ),
            merge_fields(said.drop_nulls("image"), seen, ids, curation, trust),
            merge_tags(rows, len(ids), curation.merge, trust),
        ],
        how="horizontal",
    )
    reasons = [name for name in images.columns if name not in _COLUMNS]
    return images.select(*_COLUMNS, *sorted(reasons))


def _stands() -> pl.Expr:
    return pl.col("role") == "representative"


def _speaks() -> pl.Expr:
    return pl.col("best_in_source") & (pl.col("role") != "dropped")


def _of_representative(rows: pl.DataFrame, images: int) -> pl.DataFrame:
    """The columns that are the representative's, null where it has no row."""
    standing = rows.select("tagged_of").with_row_index("row").drop_nulls("tagged_of")
    place = np.full(images, -1)
    place[standing["tagged_of"].to_numpy()] = standing["row"].to_numpy()
    row = pl.Series(place).replace(-1, None)
    return rows.select(
        pl.col(theirs).gather(row).alias(name) for name, theirs in _OF_REPRESENTATIVE.items()
    )


def _lineage(known: pl.DataFrame, images: int) -> pl.DataFrame:
    """All members of each image, and the sources of those that were not dropped."""
    keys = known.select("image", members="image_key").sort("image", "members")
    of = known.filter(pl.col("role") != "dropped").select("image", sources="source")
    of = of.unique().sort("image", "sources")
    return pl.DataFrame(
        [
            nest(one[one.columns[1]], offsets_of(np.bincount(one["image"], minlength=images)))
            for one in (keys, of)
        ]
    )
