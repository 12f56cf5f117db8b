"""Pixiv: one record a page of a work."""

from typing import Annotated, Any

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

_RATINGS = {0: "general", 1: "explicit", 2: "explicit"}
_AI = {1: "no", 2: "yes"}


class _User(Raw):
    id: OptionalId = None
    name: Text = None
    account: Text = None


class _Work(Raw):
    id: Id
    num: Small = 0
    type: Text = None
    title: Text = None
    caption: PlainText = None
    create_date: Time = None
    width: Size = None
    height: Size = None
    restrict: Small = None
    x_restrict: Small = None
    illust_ai_type: Small = None
    total_bookmarks: Whole = None
    total_view: Whole = None
    is_mypixiv_only: Flag = None
    tags: Tags
    user: Annotated[_User, Inner] = _User()
    url: Text = None


def to_common(raw: dict[str, Any]) -> dict[str, Any]:
    """Common columns of a gallery-dl pixiv record.

    Width and height are those of page 0 of the work, so other pages get null. `illust_ai_type` 0
    stands on works older than the question: unknown. `visible` depends on who crawled: ignored.
    """
    work = _Work.model_validate(raw)
    if work.x_restrict is not None and work.x_restrict not in _RATINGS:
        raise ValueError("x_restrict: not 0, 1 or 2")
    page = work.num or 0
    # Pixiv serves a placeholder from this folder instead of a work that the crawler may not see.
    unseen = "/common/images/limit_" in (work.url or "")
    return {
        "post_id": work.id,
        "page": page,
        "kind": "animation" if work.type == "ugoira" else "image",
        "url": work.url,
        "post_url": f"https://www.pixiv.net/artworks/{work.id}",
        "artist_ids": names(work.user.id),
        "artist_names": names(work.user.name, work.user.account),
        "tags_general": work.tags,
        "rating": None if work.x_restrict is None else _RATINGS[work.x_restrict],
        "favourites": work.total_bookmarks,
        "views": work.total_view,
        "created": work.create_date,
        "width": work.width if page == 0 else None,
        "height": work.height if page == 0 else None,
        "ai": _AI.get(work.illust_ai_type or 0, "unknown"),
        "status": "hidden" if work.restrict or work.is_mypixiv_only or unseen else "active",
        "title": work.title,
        "caption": work.caption,
    }
