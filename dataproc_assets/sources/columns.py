"""The common columns of a record, whatever crawler wrote it."""

import polars as pl

RECORD_SCHEMA = pl.Schema(
    {
        "image_key": pl.String,
        "source": pl.String,
        "post_id": pl.String,
        "page": pl.Int32,
        "kind": pl.String,
        "url": pl.String,
        "post_url": pl.String,
        "artist_ids": pl.List(pl.String),
        "artist_names": pl.List(pl.String),
        "tags_general": pl.List(pl.String),
        "tags_character": pl.List(pl.String),
        "tags_copyright": pl.List(pl.String),
        "tags_artist": pl.List(pl.String),
        "tags_meta": pl.List(pl.String),
        "rating": pl.String,
        "score": pl.Float64,
        "favourites": pl.Int64,
        "views": pl.Int64,
        "followers": pl.Int64,
        "created": pl.Datetime("us", "UTC"),
        "width": pl.Int32,
        "height": pl.Int32,
        "md5": pl.String,
        "parent_id": pl.String,
        "linked_source": pl.String,
        "linked_pixiv_id": pl.String,
        "linked_pixiv_page": pl.Int32,
        "ai": pl.String,
        "status": pl.String,
        "title": pl.String,
        "caption": pl.String,
        "language": pl.String,
    }
)
"""One row a record. Null is unknown; lists are never null. Meanings that need saying:

- `page`: 0-based on pixiv, 1-based on twitter and artstation, null where posts have one image.
- `kind`: image, cover, retweet or animation.
- `tags_*`: spelt as crawled, HTML-unescaped, in the crawl's order, without repeats.
- `rating`: general < sensitive < questionable < explicit.
- `score`: the site's votes up less down, where it has them; `favourites`: bookmarks or likes.
- `width`, `height`: of this page's original, which may be larger than the file in the crawl.
- `ai`: yes, no or unknown. `status`: active, deleted, banned, pending, flagged or hidden.
"""

RATINGS = ("general", "sensitive", "questionable", "explicit")
"""From the least to the most restrictive."""

REJECT_SCHEMA = pl.Schema({"source": pl.String, "place": pl.String, "reason": pl.String})
"""What could not become a record, where it was found, and why."""

ELIGIBILITY_SCHEMA = pl.Schema(
    {
        "image_key": pl.String,
        "has_image": pl.Boolean,
        "has_record": pl.Boolean,
        "intake_drop": pl.String,
        "intake_drops": pl.List(pl.String),
        "image_ext": pl.String,
    }
)
"""What intake decided of each known key: the third input of a merge."""
