"""Raw records of each adapter to the table of records, in one process, alternating with the floor.

The floor is `json.loads` of the same lines, which checks nothing and keeps nothing. A record has
30 tags. That every record is read, and under its own key, is seen before anything is timed.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dataproc_assets.config.project import CONF
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.sources.parse import parse_records

TAGS = 30
WORDS = ("long_hair", "smile", "1girl", "オリジナル", "風景", "blue_eyes", "steins;gate", "女の子")


def _pixiv(number: int, tags: list[str]) -> dict[str, Any]:
    return {
        "id": 100_000_000 + number, "title": "《 Bridge and Deer 》", "type": "illust",
        "caption": "Meet a deer .<br />and a bridge", "create_date": "2022-11-19T15:00:00+00:00",
        "width": 2160, "height": 3840, "page_count": 1, "num": 0, "restrict": 0, "x_restrict": 0,
        "sanity_level": 2, "illust_ai_type": 1, "illust_book_style": 0, "total_bookmarks": 1900,
        "total_view": 11000, "total_comments": 3, "series": None, "tools": [], "visible": False,
        "tags": tags, "user": {"id": 7386235, "account": "805482263", "name": "岛的鲸"},
        "rating": "General", "extension": "jpg",
        "url": "https://i.pximg.net/img-original/img/2022/11/20/00/00/49/102932581_p0.jpg",
    }  # fmt: skip


def _danbooru(number: int, tags: list[str]) -> dict[str, Any]:
    return {
        "id": number, "created_at": "2008-08-12T00:46:05.385-04:00", "score": 1, "up_score": 1,
        "down_score": 0, "fav_count": 9, "rating": "s", "md5": f"{number:032x}", "file_ext": "jpg",
        "file_size": 358232, "image_width": 895, "image_height": 687, "parent_id": None,
        "has_children": False, "pixiv_id": 1129835,
        "source": "https://i.pximg.net/img-original/img/2008/07/09/16/10/23/1129835_p0.jpg",
        "tag_string_artist": "bonocho", "tag_string_character": "batman heath_ledger joker_(dc)",
        "tag_string_copyright": "batman_(series) dc_comics", "tag_string_general": " ".join(tags),
        "tag_string_meta": "commentary_request", "is_banned": False, "is_deleted": False,
        "is_flagged": False, "is_pending": False, "bit_flags": 0, "uploader_id": 1,
        "file_url": f"https://cdn.donmai.us/original/ac/8e/{number:032x}.jpg",
    }  # fmt: skip


def _gelbooru(number: int, tags: list[str]) -> dict[str, Any]:
    return {
        "id": number, "created_at": "Sat Sep 26 03:51:09 -0500 2026", "score": 0, "width": 1334,
        "height": 1002, "md5": f"{number:032x}", "rating": "general",
        "source": "https://i.bandori.party/u/c/art/1280Lisa-Imai-Happy-9eKI4H.png",
        "owner": "beamblue367", "creator_id": 1120925, "parent_id": 0,
        "tags": " ".join(tags) + " grabbing_another&#039;s_arm", "has_children": "false",
        "status": "active", "file_url": f"https://img4.gelbooru.com/images/{number:032x}.png",
    }  # fmt: skip


def _yandere(number: int, tags: list[str]) -> dict[str, Any]:
    return {
        "id": number, "tags": " ".join(tags), "created_at": 1742150809, "updated_at": 1742156680,
        "creator_id": 537635, "author": "Reverseshin", "source": "Animedia 2010-12", "score": 3,
        "md5": f"{number:032x}", "file_size": 26463488, "file_ext": "png", "rating": "s",
        "has_children": False, "parent_id": 162305, "status": "active", "is_held": False,
        "width": 5492, "height": 3408, "jpeg_width": 3500, "sample_width": 1500,
    }  # fmt: skip


def _twitter(number: int, tags: list[str]) -> dict[str, Any]:
    return {
        "tweet_id": 1499364669504786436 + number, "retweet_id": 0, "quote_id": 0, "reply_id": 0,
        "date": "2022-03-03 12:00:00", "lang": "ja", "content": "新しい絵です", "hashtags": tags,
        "author": {"id": 1, "name": "artist", "nick": "A", "followers_count": 12000},
        "sensitive": False, "sensitive_flags": [], "favorite_count": 2400, "retweet_count": 500,
        "reply_count": 9, "bookmark_count": 120, "view_count": 0, "num": 1, "type": "photo",
        "width": 1024, "height": 1462, "description": None, "extension": "jpg",
    }  # fmt: skip


def _artstation(number: int, tags: list[str]) -> dict[str, Any]:
    return {
        "id": number, "hash_id": f"h{number}", "title": "doodle", "description": "<p>a doodle</p>",
        "tags": tags, "created_at": "2018-08-09T07:50:11.347-05:00", "views_count": 3257,
        "likes_count": 699, "comments_count": 1, "adult_content": False,
        "admin_adult_content": False, "hide_as_adult": False, "editor_pick": True,
        "categories": [{"id": 1, "name": "Characters"}], "software_items": [],
        "user": {"id": 199106, "username": "braveking"},
        "permalink": "https://www.artstation.com/artwork/mr5aZ",
        "asset": {"id": number, "asset_type": "image", "width": 1300, "height": 2434}, "num": 1,
    }  # fmt: skip


MAKERS: dict[str, Callable[[int, list[str]], dict[str, Any]]] = {
    "pixiv": _pixiv,
    "danbooru": _danbooru,
    "gelbooru": _gelbooru,
    "yandere": _yandere,
    "twitter": _twitter,
    "artstation": _artstation,
}


def lines(source: str, rows: int, seed: int) -> list[bytes]:
    """JSON Lines of a source, each record with tags of its own."""
    words = [f"{WORDS[n % len(WORDS)]}_{n}" for n in range(5000)]
    drawn = np.random.default_rng(seed).integers(0, len(words), (rows, TAGS)).tolist()
    make = MAKERS[source]
    return [
        json.dumps(make(number, [words[n] for n in numbers]), ensure_ascii=False).encode()
        for number, numbers in enumerate(drawn, 1)
    ]


def main() -> None:
    """Print records a second of both, the ratio and the peak memory, for each adapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.rows:,} records of each source, {TAGS} tags each, one process")
    for name in MAKERS:
        source = read_yaml(CONF / "sources" / f"{name}.yaml", SourceConfig)
        data = lines(name, options.rows, seed=1)
        items = [(f"posts.jsonl:{number}", line) for number, line in enumerate(data, 1)]
        records, rejects = parse_records(source, items)
        if (records.height, rejects.height) != (options.rows, 0):
            raise SystemExit(f"{name}: not every record was read, so a time would mean nothing")
        best = {"ours": float("inf"), "loads": float("inf")}
        for _ in range(options.rounds):
            start = time.process_time()
            parse_records(source, items)
            best["ours"] = min(best["ours"], time.process_time() - start)
            start = time.process_time()
            for line in data:
                json.loads(line)
            best["loads"] = min(best["loads"], time.process_time() - start)
        rate = {what: options.rows / seconds for what, seconds in best.items()}
        print(
            f"  {name:10s} {sum(map(len, data)) / len(data):5.0f} bytes "
            f"{rate['ours']:9,.0f} records/CPU s, json.loads {rate['loads']:9,.0f}, "
            f"{rate['loads'] / rate['ours']:.2f} times the floor"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  peak of the process {peak:.2f} GiB")


if __name__ == "__main__":
    main()
