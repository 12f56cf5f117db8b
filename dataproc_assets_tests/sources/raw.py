"""Raw records as the crawlers write them, and the configuration of each source."""

from pathlib import Path
from typing import Any

import polars as pl
import yaml

import dataproc_assets
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources.parse import parse_records

CONF = Path(dataproc_assets.__file__).parent / "conf" / "sources"

SOURCES = {
    path.stem: SourceConfig.model_validate(yaml.safe_load(path.read_text("utf-8")))
    for path in sorted(CONF.glob("*.yaml"))
}

RAW: dict[str, dict[str, Any]] = {
    "pixiv": {
        "id": 102932581,
        "title": "《 Bridge and Deer 》",
        "type": "illust",
        "caption": "Meet a deer .",
        "create_date": "2022-11-19T15:00:00+00:00",
        "width": 2160,
        "height": 3840,
        "page_count": 1,
        "num": 0,
        "restrict": 0,
        "x_restrict": 0,
        "illust_ai_type": 1,
        "total_bookmarks": 1900,
        "total_view": 11000,
        "series": None,
        "visible": False,
        "tags": ["オリジナル", "風景", "女の子"],
        "user": {"id": 7386235, "account": "805482263", "name": "岛的鲸"},
        "rating": "General",
        "url": "https://i.pximg.net/img-original/img/2022/11/20/00/00/49/102932581_p0.jpg",
    },
    "danbooru": {
        "id": 294929,
        "created_at": "2008-08-12T00:46:05.385-04:00",
        "score": 1,
        "fav_count": 9,
        "rating": "s",
        "md5": "ac8e3b92ea328ce9cf7211e69c905bf9",
        "file_ext": "jpg",
        "image_width": 895,
        "image_height": 687,
        "parent_id": None,
        "pixiv_id": 1129835,
        "source": "https://i.pximg.net/img-original/img/2008/07/09/16/10/23/1129835_p0.jpg",
        "tag_string_artist": "bonocho",
        "tag_string_character": "batman heath_ledger joker_(dc)",
        "tag_string_copyright": "batman_(series) dc_comics the_dark_knight",
        "tag_string_general": "2boys bodysuit playing_card smile",
        "tag_string_meta": "commentary_request photoshop_(medium)",
        "is_banned": False,
        "is_deleted": False,
        "is_flagged": False,
        "is_pending": False,
        "uploader_id": 1,
        "file_url": "https://cdn.donmai.us/original/ac/8e/ac8e3b92ea328ce9cf7211e69c905bf9.jpg",
    },
    "gelbooru": {
        "id": 14970719,
        "created_at": "Sat Sep 26 03:51:09 -0500 2026",
        "score": 0,
        "width": 1334,
        "height": 1002,
        "md5": "da5619f7afe408e0589fa25d43603bb1",
        "rating": "general",
        "source": "https://i.bandori.party/u/c/art/1280Lisa-Imai-Happy-9eKI4H.png",
        "owner": "beamblue367",
        "creator_id": 1120925,
        "parent_id": 0,
        "tags": "2girls bang_dream! grabbing_another&#039;s_arm imai_lisa",
        "has_children": "false",
        "status": "active",
        "file_url": "https://img4.gelbooru.com/images/da/56/da5619f7afe408e0589fa25d43603bb1.png",
    },
    "yandere": {
        "id": 1223391,
        "tags": "akiyama_mio chibi christmas dress k-on!",
        "created_at": 1742150809,
        "updated_at": 1742156680,
        "creator_id": 537635,
        "author": "Reverseshin",
        "source": "Animedia 2010-12",
        "score": 3,
        "md5": "3a453ffae99c4de46e4fb5bf82236842",
        "file_ext": "png",
        "rating": "s",
        "has_children": False,
        "parent_id": 162305,
        "status": "active",
        "is_held": False,
        "width": 5492,
        "height": 3408,
    },
    "twitter": {
        "tweet_id": 1499364669504786436,
        "retweet_id": 0,
        "date": "2022-03-03 12:00:00",
        "author": {"id": 1, "name": "artist", "nick": "A", "followers_count": 12000},
        "lang": "ja",
        "content": "…",
        "hashtags": ["オリジナル"],
        "sensitive": False,
        "sensitive_flags": [],
        "favorite_count": 2400,
        "view_count": 0,
        "num": 1,
        "type": "photo",
        "width": 1024,
        "height": 1462,
    },
    "artstation": {
        "id": 3513664,
        "hash_id": "mr5aZ",
        "title": "doodle",
        "description": "",
        "tags": [],
        "created_at": "2018-08-09T07:50:11.347-05:00",
        "views_count": 3257,
        "likes_count": 699,
        "adult_content": False,
        "admin_adult_content": False,
        "hide_as_adult": False,
        "user": {"id": 199106, "username": "braveking"},
        "permalink": "https://www.artstation.com/artwork/mr5aZ",
        "asset": {"id": 12260469, "asset_type": "image", "width": 1300, "height": 2434},
        "num": 1,
    },
}


def without(name: str, *keys: str) -> dict[str, Any]:
    """The raw record of a source less some of its keys."""
    return {key: value for key, value in RAW[name].items() if key not in keys}


def read(name: str, **changes: Any) -> dict[str, Any]:
    """The one record that the raw record of a source, with changes, is read as."""
    records, rejects = parse_records(SOURCES[name], [("here", RAW[name] | changes)])
    assert rejects.rows() == []
    return records.row(0, named=True)


def reason(name: str, **changes: Any) -> str:
    """The reason for which the raw record of a source, with changes, is rejected."""
    records, rejects = parse_records(SOURCES[name], [("here", RAW[name] | changes)])
    assert records.height == 0
    return rejects["reason"].item()


def records_of(name: str, *raws: dict[str, Any]) -> pl.DataFrame:
    """The records of several raw records of a source, none rejected."""
    items = [(f"records.jsonl:{number}", RAW[name] | raw) for number, raw in enumerate(raws, 1)]
    records, rejects = parse_records(SOURCES[name], items)
    assert rejects.rows() == []
    return records
