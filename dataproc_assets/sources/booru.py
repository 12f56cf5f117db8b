"""What gelbooru and yandere share: tags without categories, an uploader who is no artist."""

from typing import Any

from dataproc_assets.sources.fields import EscapedTags, Id, Link, Md5, Number, Raw, Size, Text, Time
from dataproc_assets.sources.links import pixiv_link

_ANIMATED = (".zip", ".mp4", ".webm", ".swf")
_STATUS = {"active", "deleted", "pending", "flagged"}


class Post(Raw):
    """The fields of both boards; the names of the uploader (`owner`, `author`) stay unread.

    The crawler can be told to fetch categories; it then adds `tags_{category}`.
    """

    id: Id
    created_at: Time = None
    score: Number = None
    width: Size = None
    height: Size = None
    md5: Md5 = None
    rating: Text = None
    source: Text = None
    parent_id: Link = None
    status: Text = None
    file_url: Text = None
    tags: EscapedTags
    tags_character: EscapedTags
    tags_copyright: EscapedTags
    tags_artist: EscapedTags
    tags_metadata: EscapedTags


def post_columns(post: Post) -> dict[str, Any]:
    """The common columns but key, rating and page address."""
    linked_id, linked_page = pixiv_link(post.source)
    by_category = {
        "tags_character": post.tags_character,
        "tags_copyright": post.tags_copyright,
        "tags_artist": post.tags_artist,
        "tags_meta": post.tags_metadata,
    }
    categorised = {tag for tags in by_category.values() for tag in tags}
    status = (post.status or "active").lower()
    return by_category | {
        "post_id": post.id,
        "kind": "animation" if (post.file_url or "").lower().endswith(_ANIMATED) else "image",
        "url": post.file_url,
        "artist_names": post.tags_artist,
        "tags_general": [tag for tag in post.tags if tag not in categorised]
        if categorised
        else post.tags,
        "score": post.score,
        "created": post.created_at,
        "width": post.width,
        "height": post.height,
        "md5": post.md5,
        "parent_id": post.parent_id,
        "linked_source": post.source,
        "linked_pixiv_id": linked_id,
        "linked_pixiv_page": linked_page,
        "ai": "unknown",
        "status": status if status in _STATUS else "hidden",
    }
