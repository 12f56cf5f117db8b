"""ArtStation: one record an asset of a project."""

from typing import Annotated, Any

import polars as pl

from dataproc_assets.sources.fields import (
    Flag,
    Id,
    Inner,
    OptionalId,
    PlainText,
    Raw,
    Size,
    Small,
    Tags,
    Text,
    Time,
    Whole,
)
from dataproc_assets.sources.values import names

_STILL = {"image", "pano"}


class _Asset(Raw):
    id: Id
    asset_type: Text = "image"
    width: Size = None
    height: Size = None
    image_url: Text = None


class _User(Raw):
    id: OptionalId = None
    username: Text = None
    full_name: Text = None


class _Project(Raw):
    id: OptionalId = None
    hash_id: Text = None
    asset: Annotated[_Asset, Inner]
    num: Small = None
    title: Text = None
    description: PlainText = None
    tags: Tags
    created_at: Time = None
    views_count: Whole = None
    likes_count: Whole = None
    adult_content: Flag = None
    admin_adult_content: Flag = None
    hide_as_adult: Flag = None
    user: Annotated[_User, Inner] = _User()
    permalink: Text = None


def to_common(raw: dict[str, Any]) -> dict[str, Any]:
    """Common columns of a gallery-dl ArtStation record.

    The key takes `hash_id`, and `id` only where there is none. Files may be named with either:
    `align.align_records` joins them by the asset id, which is unique on the site.
    """
    project = _Project.model_validate(raw)
    post_id = project.hash_id or project.id
    if post_id is None:
        raise ValueError("hash_id: field required")
    marks = (project.adult_content, project.admin_adult_content, project.hide_as_adult)
    kind = (project.asset.asset_type or "image").lower()
    return {
        "post_id": post_id,
        "asset": project.asset.id,
        "page": project.num,
        "kind": "image" if kind in _STILL else "cover" if kind == "cover" else "animation",
        "url": project.asset.image_url,
        "post_url": project.permalink or f"https://www.artstation.com/artwork/{post_id}",
        "artist_ids": names(project.user.id),
        "artist_names": names(project.user.username, project.user.full_name),
        "tags_general": project.tags,
        "rating": _rating(marks),
        "favourites": project.likes_count,
        "views": project.views_count,
        "created": project.created_at,
        "width": project.asset.width,
        "height": project.asset.height,
        "ai": "unknown",
        "status": "active",
        "title": project.title,
        "caption": project.description,
    }


def merge(joined: pl.LazyFrame) -> pl.LazyFrame:
    """Tags are words with blanks, in any case: here they are spelt as the boards spell them."""
    name = pl.element().str.to_lowercase().str.replace_all(r"\s+", "_")
    tags = pl.col("tags_general").list.eval(name).list.unique(maintain_order=True)
    return joined.with_columns(tags_general=tags)


def _rating(marks: tuple[bool | None, ...]) -> str | None:
    """Explicit if any mark is set; general only if the site answered and none is."""
    if any(marks):
        return "explicit"
    return None if all(mark is None for mark in marks) else "general"
