"""Yandere (moebooru): one record a post; times are epoch seconds."""

from typing import Any

from dataproc_assets.sources.booru import Post, post_columns
from dataproc_assets.sources.fields import Flag, Time
from dataproc_assets.sources.values import choose

# On moebooru `s` is safe, where danbooru's `s` is sensitive.
_RATINGS = {"s": "general", "q": "questionable", "e": "explicit"}


class _Post(Post):
    updated_at: Time = None
    is_held: Flag = None


def to_common(raw: dict[str, Any]) -> dict[str, Any]:
    """Common columns of a yandere post; a held post waits for its uploader: pending."""
    post = _Post.model_validate(raw)
    columns = post_columns(post)
    if post.is_held and columns["status"] == "active":
        columns["status"] = "pending"
    return columns | {
        "updated": post.updated_at,
        "post_url": f"https://yande.re/post/show/{post.id}",
        "rating": choose(post.rating, _RATINGS, "rating"),
    }
