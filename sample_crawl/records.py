"""Raw metadata records, field by field as each crawler writes them."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sample_crawl import draw

JAPANESE = {
    "animal": "動物", "bird": "鳥", "cat": "猫", "dog": "犬", "horse": "馬", "fish": "魚",
    "insect": "虫", "flower": "花", "tree": "木", "plant": "植物", "food": "食べ物",
    "fruit": "果物", "house": "家", "building": "建物", "music": "音楽", "bear": "熊",
    "1girl": "女の子", "scenery": "風景", "sky": "空", "butterfly": "蝶", "people": "人",
}  # fmt: skip
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# What a newest post of the source would be numbered: ids grow with the date, as real ones do.
NEWEST_ID = {
    "pixiv": 149_000_000,
    "danbooru": 11_900_000,
    "gelbooru": 14_990_000,
    "yandere": 1_290_000,
    "artstation": 24_000_000,
}
TWITTER_EPOCH = datetime(2010, 11, 4, 1, 42, 54)


@dataclass(frozen=True)
class Post:
    """What is known of one image before a crawler words it; times are UTC, sizes in pixels."""

    name: str
    id: str
    title: str
    tags: tuple[str, ...]
    artist: str
    character: str
    copyright: str
    created: datetime
    rating: str
    size: tuple[int, int]
    ext: str
    md5: str
    bytes: int
    page: int
    pages: int
    leads_account: bool
    asset_id: int
    asset_type: str


def post_id(source: str, created: datetime, *names: object) -> str:
    """Return an id that fits the date; tweet ids are snowflakes, above 2^53."""
    if source == "twitter":
        milliseconds = int((created - TWITTER_EPOCH).total_seconds() * 1000)
        return str(milliseconds << 22 | draw.integer(0, 1 << 22, "id", *names))
    share = (created - draw.FIRST_DAY) / (draw.LAST_DAY - draw.FIRST_DAY)
    newest = NEWEST_ID[source]
    return str(int(newest * (0.02 + 0.95 * share)) + draw.integer(0, newest // 100, *names))


def user_id(artist: str) -> int:
    """Return the artist's number, the same on every platform of the sample."""
    return draw.integer(100_000, 90_000_000, "artist", artist)


def booru_name(artist: str) -> str:
    """Return an artist's name as a booru tag."""
    return re.sub(r"[^\w]+", "_", artist.lower()).strip("_")


def followers(artist: str) -> int:
    """Return how many follow the artist's account."""
    return draw.spread(150, 200_000, "followers", artist)


def _pixiv(post: Post) -> dict[str, object]:
    marks = draw.spread(120, 15_000, "bookmarks", post.name)
    tags: list[object] = ["オリジナル"]
    for tag in post.tags:
        word = JAPANESE.get(tag)
        if word and draw.unit("translated", post.name, tag) < 0.4:
            tags.append({"name": word, "translated_name": tag.replace("_", " ")})
        elif word or tag not in ("no_humans", "still_life", "animal_focus", "food_focus"):
            tags.append(word or tag.replace("_", " "))
    day = post.created.strftime("%Y/%m/%d/%H/%M/%S")
    level = {"questionable": 1, "explicit": 1}.get(post.rating, 0)
    return {
        "id": int(post.id), "title": post.title, "type": "illust",
        "caption": f"{post.title}<br />drawn by {post.artist}",
        "create_date": post.created.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "width": post.size[0], "height": post.size[1],
        "page_count": post.pages, "num": post.page, "restrict": 0, "x_restrict": level,
        "sanity_level": 6 if level else 2,
        "illust_ai_type": 1 if post.created.year >= 2022 else 0,
        "illust_book_style": 0, "total_bookmarks": marks,
        "total_view": marks * draw.integer(4, 20, "views", post.name),
        "total_comments": draw.integer(0, 12, "comments", post.name), "series": None,
        "tools": [], "visible": False, "tags": tags,
        "user": {
            "id": user_id(post.artist), "account": booru_name(post.artist), "name": post.artist,
        },
        "rating": "R-18" if level else "General", "extension": post.ext,
        "url": f"https://i.pximg.net/img-original/img/{day}/{post.id}_p{post.page}.jpg",
    }  # fmt: skip


def _danbooru(post: Post) -> dict[str, object]:
    favourites = draw.spread(2, 400, "favourites", post.name)
    score = round(favourites * (0.5 + 0.5 * draw.unit("score", post.name)))
    # The shards hold resized copies: the post's md5 is that of an original nobody here has.
    md5 = draw.digest("danbooru original", post.name, post.id)[:32]
    local = post.created.strftime("%Y-%m-%dT%H:%M:%S.385-04:00")
    return {
        "id": int(post.id), "created_at": local, "score": score, "up_score": score,
        "down_score": 0, "fav_count": favourites, "rating": post.rating[0], "md5": md5,
        "file_ext": "jpg", "file_size": post.bytes * 3,
        "image_width": post.size[0], "image_height": post.size[1],
        "parent_id": None, "has_children": False, "pixiv_id": None, "source": "",
        "tag_string_artist": booru_name(post.artist), "tag_string_character": post.character,
        "tag_string_copyright": post.copyright or "original",
        "tag_string_general": " ".join(sorted(post.tags)),
        "tag_string_meta": "commentary_request" if draw.unit("meta", post.name) < 0.3 else "",
        "is_banned": False, "is_deleted": False, "is_flagged": False, "is_pending": False,
        "bit_flags": 0, "uploader_id": draw.integer(1, 900_000, "uploader", post.name),
        "file_url": f"https://cdn.donmai.us/original/{md5[:2]}/{md5[2:4]}/{md5}.jpg",
    }  # fmt: skip


def _gelbooru(post: Post) -> dict[str, object]:
    tags = sorted({*post.tags, *filter(None, (post.character, post.copyright))})
    when = post.created
    date = (
        f"{DAYS[when.weekday()]} {MONTHS[when.month - 1]} {when.day:02} "
        f"{when:%H:%M:%S} -0500 {when.year}"
    )
    return {
        "id": int(post.id), "created_at": date,
        "score": draw.spread(1, 120, "score", post.name) - 1,
        "width": post.size[0], "height": post.size[1], "md5": post.md5, "rating": post.rating,
        "source": "", "owner": "danbooru",
        "creator_id": draw.integer(1, 1_200_000, "owner", post.name), "parent_id": 0,
        "tags": " ".join(html.escape(tag).replace("&#x27;", "&#039;") for tag in tags),
        "has_children": "false", "status": "active",
        "file_url": f"https://img4.gelbooru.com/images/{post.md5[:2]}/{post.md5[2:4]}/"
        f"{post.md5}.{post.ext}",
    }  # fmt: skip


def _yandere(post: Post) -> dict[str, object]:
    created = int(post.created.replace(tzinfo=UTC).timestamp())
    tags = sorted({*post.tags, *filter(None, (post.character, post.copyright))})
    rating = {"questionable": "q", "explicit": "e"}.get(post.rating, "s")
    return {
        "id": int(post.id), "tags": " ".join([*tags, booru_name(post.artist)]),
        "created_at": created, "updated_at": created + 5871,
        "creator_id": draw.integer(1, 540_000, "creator", post.name), "author": "uploader",
        "source": "", "score": draw.spread(1, 220, "score", post.name), "md5": post.md5,
        "file_size": post.bytes, "file_ext": post.ext, "rating": rating,
        "has_children": False, "parent_id": None, "status": "active", "is_held": False,
        "width": post.size[0], "height": post.size[1],
        "jpeg_width": post.size[0], "jpeg_height": post.size[1],
        "sample_width": min(1500, post.size[0]),
    }  # fmt: skip


def _twitter(post: Post) -> dict[str, object]:
    fans = followers(post.artist)
    image_limit, account_limit = (150, 1000) if fans > 10_000 else (50, 500)
    if fans <= 1_000:
        image_limit, account_limit = 10, 100
    low = 1.2 * (account_limit if post.leads_account else image_limit)
    likes = draw.spread(low, 20 * low, "likes", post.name)
    words = [tag.replace("_", "") for tag in post.tags[:3]]
    return {
        "tweet_id": int(post.id), "retweet_id": 0, "quote_id": 0, "reply_id": 0,
        "date": post.created.strftime("%Y-%m-%d %H:%M:%S"),
        "author": {
            "id": user_id(post.artist), "name": booru_name(post.artist), "nick": post.artist,
            "followers_count": fans,
        },
        "lang": draw.choice(("en", "ja", "it", "fr"), "lang", post.name),
        "content": f"{post.title} " + " ".join("#" + word for word in words),
        "hashtags": words, "sensitive": post.rating in ("questionable", "explicit"),
        "sensitive_flags": [], "favorite_count": likes, "retweet_count": likes // 5,
        "reply_count": likes // 90, "bookmark_count": likes // 20, "view_count": 0,
        "num": post.page + 1, "type": "photo", "width": post.size[0], "height": post.size[1],
        "description": None, "extension": post.ext,
    }  # fmt: skip


def _artstation(post: Post) -> dict[str, object]:
    likes = draw.spread(15, 5_000, "likes", post.name)
    code = artstation_hash(post.id)
    adult = post.rating in ("questionable", "explicit")
    return {
        "id": int(post.id), "hash_id": code, "title": post.title, "description": "",
        "tags": [tag.replace("_", " ") for tag in post.tags],
        "created_at": post.created.strftime("%Y-%m-%dT%H:%M:%S.347-05:00"),
        "views_count": likes * draw.integer(4, 12, "views", post.name), "likes_count": likes,
        "comments_count": likes // 60, "adult_content": adult, "admin_adult_content": False,
        "hide_as_adult": False, "editor_pick": likes > 3_000,
        "categories": [{"id": 1, "name": "Illustration"}], "software_items": [],
        "user": {"id": user_id(post.artist), "username": booru_name(post.artist)},
        "permalink": f"https://www.artstation.com/artwork/{code}",
        "asset": {
            "id": post.asset_id, "asset_type": post.asset_type, "width": post.size[0],
            "height": post.size[1], "has_image": True,
        },
        "num": 1,
    }  # fmt: skip


def artstation_hash(post_id: str) -> str:
    """Return the short code of a project."""
    return draw.digest("artstation", post_id)[:5] + "Z"


RECORD: dict[str, Callable[[Post], dict[str, object]]] = {
    "pixiv": _pixiv,
    "danbooru": _danbooru,
    "gelbooru": _gelbooru,
    "yandere": _yandere,
    "twitter": _twitter,
    "artstation": _artstation,
}
