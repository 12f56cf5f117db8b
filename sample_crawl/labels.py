"""Specials by label: innocent pictures whose records say what must, or must not, stop them."""

from datetime import timedelta
from typing import Any

from sample_crawl.crawl import Crawl, Item
from sample_crawl.material import Picture

OPTED_OUT = "optout_artist"
BANNED_WORD = "forbiddenword"
QUIET = "quiet_account"


def truth(what: str, expect: str, *items: Item, **more: Any) -> dict[str, Any]:
    """Return one class of the ground truth."""
    return {"what": what, "expect": expect, "keys": [item.key for item in items], **more}


def add(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Put the labelled pictures in and return their classes."""
    return {
        "ai_flagged": ai_flagged(crawl, special),
        "opted_out_artist": opted_out(crawl, special),
        "banned_artist": banned_artist(crawl, special),
        "banned_words": banned_words(crawl, special),
        **never_rules(crawl, special),
        **statuses(crawl, special),
        **duplicates(crawl, special),
        "low_engagement": low_engagement(crawl, special),
    }


def ai_flagged(crawl: Crawl, special: dict[str, Picture]) -> dict[str, Any]:
    """Flag pictures as AI-made in each spelling, one of them on its twin only."""
    twin = crawl.add("artstation", special["ai_twin"])
    items = [
        crawl.add("pixiv", special["ai_pixiv_type"], raw={"illust_ai_type": 2}),
        crawl.add("danbooru", special["ai_danbooru_tag"], raw={"tag_string_meta": "ai-generated"}),
        crawl.add(
            "pixiv",
            special["ai_pixiv_tag"],
            raw={"illust_ai_type": 0, "tags": ["オリジナル", "花", "AIイラスト"]},
        ),
        crawl.add("gelbooru", special["ai_assisted"], tags=("ai-assisted",)),
        crawl.add(
            "pixiv",
            special["ai_twin"],
            edit="recode",
            raw={"illust_ai_type": 2},
            created=twin.created + timedelta(days=1),
        ),
        twin,
    ]
    return truth(
        "AI-made by illust_ai_type 2, by the tags ai-generated, ai-assisted, AIイラスト; "
        "of the twins only the pixiv one says so",
        "images: ai = yes for each; sanitized drops them where the recipe takes no AI images",
        *items,
        twins=[[items[-2].key, twin.key]],
    )


def opted_out(crawl: Crawl, special: dict[str, Picture]) -> dict[str, Any]:
    """Post works of an artist who opted out, one of them re-posted without the name."""
    first = crawl.add("pixiv", special["optout_first"], artist=OPTED_OUT)
    known = crawl.add("pixiv", special["optout_twin"], artist=OPTED_OUT)
    twin = crawl.add(
        "gelbooru", special["optout_twin"], edit="recode", created=known.created + timedelta(days=2)
    )
    return truth(
        f"works of the artist {OPTED_OUT}, by pixiv user id and as a danbooru artist tag; the "
        "gelbooru twin does not name the artist",
        "sanitized: dropped, opt_out is true for the whole cluster",
        first,
        crawl.add("pixiv", special["optout_second"], artist=OPTED_OUT),
        crawl.add("danbooru", special["optout_booru"], artist=OPTED_OUT),
        known,
        twin,
        artist=OPTED_OUT,
        pixiv_user_id=str(first.record["user"]["id"]),
        twins=[[known.key, twin.key]],
    )


def banned_artist(crawl: Crawl, special: dict[str, Picture]) -> dict[str, Any]:
    """Post works that danbooru bans; the banned post shows neither file nor md5."""
    return truth(
        "danbooru is_banned (no file_url, no md5, but the image is there), and the tag "
        "banned_artist on an active post",
        "prefiltered: the first drops for its status banned; the second for its status too",
        crawl.add(
            "danbooru",
            special["banned_post"],
            raw={"is_banned": True},
            absent=("file_url", "md5"),
        ),
        crawl.add("danbooru", special["banned_tag"], raw={"tag_string_artist": "banned_artist"}),
    )


def banned_words(crawl: Crawl, special: dict[str, Picture]) -> dict[str, Any]:
    """Put the banned word into a title, a tag and a caption."""
    name = special["banned_word_caption"].title
    return truth(
        f"the word {BANNED_WORD} in a pixiv title, a gelbooru tag, a tweet",
        "sanitized: dropped for the banned word",
        crawl.add("pixiv", special["banned_word_title"], title=f"Fresh {BANNED_WORD} today"),
        crawl.add("gelbooru", special["banned_word_tag"], tags=(BANNED_WORD,)),
        crawl.add(
            "twitter", special["banned_word_caption"], raw={"content": f"{name} {BANNED_WORD}!"}
        ),
        word=BANNED_WORD,
    )


def never_rules(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Mis-tag fruit as what may never be released, and toys as what only sounds like it."""
    rated = crawl.add("danbooru", special["never_cluster"], rating="questionable", tags=("child",))
    twin = crawl.add(
        "gelbooru", special["never_cluster"], edit="recode", created=rated.created + timedelta(9)
    )
    return {
        "never_rules": truth(
            "fruit that is mis-tagged: ロリ on pixiv; child on a danbooru post rated q; the "
            "gelbooru twin of that post has clean tags, rating general and no link",
            "safety: quarantined, all three; the twin through its cluster; no thumbnail anywhere",
            crawl.add(
                "pixiv", special["never_pixiv"], raw={"tags": ["オリジナル", "果物", "ロリ"]}
            ),
            rated,
            twin,
            twins=[[rated.key, twin.key]],
        ),
        "never_rules_kept": truth(
            "the tag lolita_fashion, and the tag child on a post that every source rates general",
            "release: kept; whole tags are matched, and child counts only with an adult rating",
            crawl.add("danbooru", special["kept_clothing"], tags=("lolita_fashion",)),
            crawl.add("danbooru", special["kept_child"], tags=("child",)),
        ),
        "rating_conflict": rating_conflict(crawl, special["rating_conflict"]),
    }


def rating_conflict(crawl: Crawl, picture: Picture) -> dict[str, Any]:
    """Post one picture twice, rated general here and questionable there."""
    mild = crawl.add("danbooru", picture)
    strict = crawl.add(
        "gelbooru",
        picture,
        edit="recode",
        rating="questionable",
        created=mild.created + timedelta(days=4),
    )
    return truth(
        "one picture, rated general on danbooru and questionable on gelbooru",
        "images: one image, its rating is questionable: the most restrictive wins",
        mild,
        strict,
        twins=[[mild.key, strict.key]],
    )


def statuses(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Post what the site no longer, or not yet, shows, and what its tags say to drop."""
    return {
        "deleted_post": truth(
            "danbooru posts that are deleted, and pending",
            "prefiltered: dropped for their status deleted and pending",
            crawl.add("danbooru", special["deleted"], raw={"is_deleted": True}),
            crawl.add("danbooru", special["pending"], raw={"is_pending": True}),
        ),
        "third_party_edit": truth(
            "a danbooru post with the meta tag third-party_edit",
            "sanitized: dropped for its content tag",
            crawl.add(
                "danbooru",
                special["third_party_edit"],
                raw={"tag_string_meta": "third-party_edit"},
            ),
        ),
        "escaped_tags": truth(
            "a gelbooru record with the tag painter's_palette, HTML-escaped as the crawler left it",
            "records: tags_general holds painter's_palette; release: kept",
            crawl.add("gelbooru", special["escaped_tag"], tags=("painter's_palette",)),
        ),
    }


def duplicates(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Post the same picture twice in one source."""
    parent = crawl.add("danbooru", special["pixel_perfect"], raw={"has_children": True})
    child = crawl.add(
        "danbooru",
        special["pixel_perfect"],
        label="child",
        created=parent.created + timedelta(days=60),
        raw={"parent_id": int(parent.id), "tag_string_meta": "pixel-perfect_duplicate"},
    )
    early = crawl.add("pixiv", special["same_source"])
    late = crawl.add(
        "pixiv",
        special["same_source"],
        edit="resize",
        label="again",
        created=early.created + timedelta(days=30),
    )
    first = crawl.add("twitter", special["retweet"])
    repeat = crawl.add(
        "twitter",
        special["retweet"],
        label="retweet",
        data=first.data,
        created=first.created + timedelta(hours=5),
        raw={"retweet_id": int(first.id), "author": first.record["author"]},
    )
    return {
        "pixel_perfect_duplicate": truth(
            "a danbooru child with the tag pixel-perfect_duplicate and its parent (last key)",
            "prefiltered: the child drops; the parent is kept",
            child,
            parent,
            kept=[parent.key],
        ),
        "same_source_duplicate": truth(
            "one picture posted twice on pixiv, the second time smaller",
            "dedup_intra: an edge of kind duplicate; one of them is the representative",
            early,
            late,
            twins=[[early.key, late.key]],
        ),
        "retweet": truth(
            "a retweet that repeats a tweet's image byte for byte; the tweet is `kept`",
            "records: kind retweet; dropped at intake or in prefiltered; the tweet is kept",
            repeat,
            kept=[first.key],
        ),
    }


def low_engagement(crawl: Crawl, special: dict[str, Picture]) -> dict[str, Any]:
    """Post what too few people liked, for its age or for the size of its account."""
    busy = next(
        item
        for item in crawl.items.values()
        if item.source == "twitter"
        and item.record["author"]["followers_count"] > 10_000
        and item.record["favorite_count"] > 1_000
    )
    fans = {"name": QUIET, "nick": QUIET, "followers_count": 25_000, "id": 4_242_424}
    return truth(
        "a pixiv work with 2 bookmarks; a tweet with 60 likes of an account over 10,000 followers "
        "whose other images pass; the only tweet (420 likes) of an account that no image of its "
        "own carries over 1,000",
        "prefiltered: dropped for bookmarks, for likes, for the account's best likes",
        crawl.add("pixiv", special["low_bookmarks"], raw={"total_bookmarks": 2, "total_view": 61}),
        crawl.add(
            "twitter",
            special["low_favourites"],
            raw={"author": busy.record["author"], "favorite_count": 60, "retweet_count": 3},
        ),
        crawl.add(
            "twitter",
            special["low_account"],
            artist=QUIET,
            raw={"author": fans, "favorite_count": 420, "retweet_count": 31},
        ),
    )
