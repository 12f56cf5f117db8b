"""Danbooru: one record a post, as JSON or as a row of a parquet dump."""

from typing import Any

from dataproc_assets.sources.columns import RATINGS
from dataproc_assets.sources.fields import (
    Flag,
    Id,
    Link,
    Md5,
    Number,
    Raw,
    Size,
    Tags,
    Text,
    Time,
    Whole,
)
from dataproc_assets.sources.links import pixiv_link
from dataproc_assets.sources.values import choose

_RATINGS = {rating[0]: rating for rating in RATINGS} | {rating: rating for rating in RATINGS}
_ANIMATED = {"zip", "mp4", "webm", "swf"}


class _Post(Raw):
    id: Id
    created_at: Time = None
    updated_at: Time = None
    score: Number = None
    fav_count: Whole = None
    rating: Text = None
    md5: Md5 = None
    file_ext: Text = None
    file_url: Text = None
    image_width: Size = None
    image_height: Size = None
    parent_id: Link = None
    pixiv_id: Link = None
    source: Text = None
    tag_string_general: Tags
    tag_string_character: Tags
    tag_string_copyright: Tags
    tag_string_artist: Tags
    tag_string_meta: Tags
    is_banned: Flag = False
    is_deleted: Flag = False
    is_pending: Flag = False
    is_flagged: Flag = False


def to_common(raw: dict[str, Any]) -> dict[str, Any]:
    """Common columns of a danbooru post; here the rating `s` is sensitive.

    A banned or restricted post is delivered without `md5` and `file_url`. The page of a pixiv work
    is only in the `source` URL, whose id outranks `pixiv_id`.
    """
    post = _Post.model_validate(raw)
    linked_id, linked_page = pixiv_link(post.source)
    return {
        "updated": post.updated_at,
        "post_id": post.id,
        "kind": "animation" if (post.file_ext or "").lower() in _ANIMATED else "image",
        "url": post.file_url,
        "post_url": f"https://danbooru.donmai.us/posts/{post.id}",
        "artist_names": post.tag_string_artist,
        "tags_general": post.tag_string_general,
        "tags_character": post.tag_string_character,
        "tags_copyright": post.tag_string_copyright,
        "tags_artist": post.tag_string_artist,
        "tags_meta": post.tag_string_meta,
        "rating": choose(post.rating, _RATINGS, "rating"),
        "score": post.score,
        "favourites": post.fav_count,
        "created": post.created_at,
        "width": post.image_width,
        "height": post.image_height,
        "md5": post.md5,
        "parent_id": post.parent_id,
        "linked_source": post.source,
        "linked_pixiv_id": linked_id or post.pixiv_id,
        "linked_pixiv_page": linked_page,
        "ai": "unknown",
        "status": _status(post),
    }


def _status(post: _Post) -> str:
    """The gravest of the post's flags."""
    if post.is_banned or (post.md5 is None and post.file_url is None):
        return "banned"
    if post.is_deleted:
        return "deleted"
    if post.is_pending:
        return "pending"
    return "flagged" if post.is_flagged else "active"
