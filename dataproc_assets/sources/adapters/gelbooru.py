"""Gelbooru: one record a post; texts are HTML-escaped, booleans are texts."""

from typing import Any

from dataproc_assets.sources.booru import Post, post_columns
from dataproc_assets.sources.columns import RATINGS
from dataproc_assets.sources.fields import EscapedText, Time
from dataproc_assets.sources.values import choose

# `safe` is how posts before 2022 were rated.
_RATINGS = {rating: rating for rating in RATINGS} | {"safe": "general"}


class _Post(Post):
    source: EscapedText = None
    change: Time = None


def to_common(raw: dict[str, Any]) -> dict[str, Any]:
    """Common columns of a gelbooru post; ratings are words."""
    post = _Post.model_validate(raw)
    return post_columns(post) | {
        "updated": post.change,
        "post_url": f"https://gelbooru.com/index.php?page=post&s=view&id={post.id}",
        "rating": choose(post.rating, _RATINGS, "rating"),
    }
