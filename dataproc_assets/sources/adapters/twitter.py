"""Twitter: one record an image of a tweet."""

from typing import Annotated, Any

import polars as pl

from dataproc_assets.sources.cleaning import join_texts, tidy
from dataproc_assets.sources.fields import (
    ExactId,
    ExactLink,
    Flag,
    Inner,
    Raw,
    Size,
    Small,
    Tags,
    Text,
    Time,
    Whole,
)
from dataproc_assets.sources.values import names

_HASHTAG = r"[^\s#\uff03]+"
_LAST_HASHTAGS = rf"((?:(?:^|\s+)[#\uff03]{_HASHTAG})+\s*)$"
_NO_LANGUAGE = {"und", "zxx", "qme", "qst", "qht", "qam", "qct", "art"}


class _Author(Raw):
    id: ExactLink = None
    name: Text = None
    nick: Text = None
    followers_count: Whole = None


class _Tweet(Raw):
    tweet_id: ExactId
    num: Small
    retweet_id: ExactLink = None
    type: Text = None
    date: Time = None
    author: Annotated[_Author, Inner] = _Author()
    lang: Text = None
    content: Text = None
    hashtags: Tags
    sensitive: Flag = None
    sensitive_flags: Tags
    favorite_count: Whole = None
    view_count: Whole = None
    width: Size = None
    height: Size = None
    url: Text = None


def to_common(raw: dict[str, Any]) -> dict[str, Any]:
    """Common columns of a gallery-dl tweet.

    `sensitive` is the poster's own mark: questionable, or explicit where the flags say adult.
    A view count of 0 is from before views were counted: unknown.
    """
    tweet = _Tweet.model_validate(raw)
    if tweet.num is None:
        raise ValueError("num: field required")
    still = tweet.type in (None, "photo")
    kind = "retweet" if tweet.retweet_id else "image" if still else "animation"
    return {
        "post_id": tweet.tweet_id,
        "page": tweet.num,
        "kind": kind,
        "url": tweet.url,
        "post_url": f"https://twitter.com/i/web/status/{tweet.tweet_id}",
        "artist_ids": names(tweet.author.id),
        "artist_names": names(tweet.author.name, tweet.author.nick),
        "tags_general": tweet.hashtags,
        "rating": _rating(tweet),
        "favourites": tweet.favorite_count,
        "views": tweet.view_count or None,
        "followers": tweet.author.followers_count,
        "created": tweet.date,
        "width": tweet.width,
        "height": tweet.height,
        "ai": "unknown",
        "status": "active",
        "caption": tweet.content,
        "language": None if tweet.lang in _NO_LANGUAGE else tweet.lang,
    }


def merge(joined: pl.LazyFrame) -> pl.LazyFrame:
    """The hashtags that a text ends in label it: they go from the caption to the tags.

    The crawler lists a tweet's hashtags only where the site did. Those within a sentence are words
    of it and stay.
    """
    last = pl.col("caption").str.extract(_LAST_HASHTAGS)
    kept = pl.col("caption").str.replace(_LAST_HASHTAGS, "")
    tags = pl.concat_list("tags_general", last.str.extract_all(_HASHTAG))
    return joined.with_columns(
        tags_general=pl.when(last.is_not_null())
        .then(tags.list.unique(maintain_order=True))
        .otherwise("tags_general"),
        caption=pl.when(last.is_not_null()).then(tidy(kept)).otherwise("caption"),
        text_cut=join_texts(pl.col("text_cut"), last.str.strip_chars()),
    )


def _rating(tweet: _Tweet) -> str | None:
    if any("adult" in flag.lower() for flag in tweet.sensitive_flags):
        return "explicit"
    if tweet.sensitive is None:
        return None
    return "questionable" if tweet.sensitive else "general"
