"""Yandere (moebooru): one record a post; times are epoch seconds."""

from typing import Any

from dataproc_assets.config.sources import NATIVE_IDS
from dataproc_assets.sources.booru import Post, post_columns
from dataproc_assets.sources.values import Flag, Time, choose

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
        "native_id": NATIVE_IDS["yandere"].format(id=post.id),
        "updated": post.updated_at,
        "post_url": f"https://yande.re/post/show/{post.id}",
        "rating": choose(post.rating, _RATINGS, "rating"),
    }
