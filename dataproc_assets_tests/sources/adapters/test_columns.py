from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from dataproc_assets.config.columns import ColumnsConfig
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources.columns import RECORD_SCHEMA
from dataproc_assets.sources.parse import parse_records
from dataproc_assets_tests.sources.raw import CONF

SITE = """
post_id: id
page: {from: num}
updated: {from: changed, unit: milliseconds}
kind: {from: file.url, take: '\\.([a-z0-9]+)$', values: {webm: animation}, otherwise: image}
url: file.url
post_url: "https://example.org/posts/{id}#{page}"
artist_ids: [uploader.id, helper.id]
artist_names: uploader.name
tags_general: {from: tags, separator: ","}
tags_character: people
tags_meta: {from: notes, html: true}
rating: {from: rate, values: {0: general, 1: sensitive, adult: explicit}}
score: votes
favourites: likes
created: [made, posted]
width: size.w
md5: hash
parent_id: parent
linked_source: origin
ai: {from: by_model, values: {true: "yes", false: "no"}}
status: {from: state, values: {removed: deleted}, otherwise: active}
title: name
caption: {from: text, html: true}
"""
RAW: dict[str, Any] = {
    "id": 9007199254740993,
    "num": 2,
    "changed": 1742150809500,
    "file": {"url": "https://cdn.example.org/1.png"},
    "uploader": {"id": 7, "name": "Ada Lovelace"},
    "tags": "long hair, blue sky,,long hair",
    "people": ["hatsune_miku"],
    "notes": "a&amp;b highres",
    "rate": 0,
    "votes": "3.5",
    "likes": 12,
    "posted": "1742150809",
    "size": {"w": 100, "h": 200},
    "hash": "AC8E3B92EA328CE9CF7211E69C905BF9",
    "parent": 0,
    "origin": "https://www.pixiv.net/artworks/5",
    "by_model": True,
    "name": " 風景 ",
    "text": "one<br>two",
}


def source(columns: str = SITE) -> SourceConfig:
    config = yaml.safe_load((CONF / "twitter.yaml").read_text("utf-8"))
    own = {"name": "site", "adapter": "columns", "columns": yaml.safe_load(columns)}
    return SourceConfig.model_validate(config | own)


def read(**changes: Any) -> dict[str, Any]:
    records, rejects = parse_records(source(), [("here", RAW | changes)])
    assert rejects.rows() == []
    return records.row(0, named=True)


def reason(**changes: Any) -> str:
    _, rejects = parse_records(source(), [("here", RAW | changes)])
    return rejects["reason"].item()


def test_every_common_column_can_be_named():
    derived = {"image_key", "source", "linked_pixiv_page"}
    assert set(ColumnsConfig.model_fields) - {"updated", "asset"} == set(RECORD_SCHEMA) - derived


def test_a_flat_record_is_read_as_the_yaml_says():
    record = read()
    known = {name: value for name, value in record.items() if value not in (None, [])}
    assert known == {
        "image_key": "site/9007199254740993_2",
        "source": "site",
        "post_id": "9007199254740993",
        "page": 2,
        "kind": "image",
        "url": "https://cdn.example.org/1.png",
        "post_url": "https://example.org/posts/9007199254740993#2",
        "artist_ids": ["7"],
        "artist_names": ["Ada Lovelace"],
        "tags_general": ["long hair", "blue sky"],
        "tags_character": ["hatsune_miku"],
        "tags_meta": ["a&b", "highres"],
        "rating": "general",
        "score": 3.5,
        "favourites": 12,
        "created": datetime(2025, 3, 16, 18, 46, 49, tzinfo=UTC),
        "width": 100,
        "md5": "ac8e3b92ea328ce9cf7211e69c905bf9",
        "linked_source": "https://www.pixiv.net/artworks/5",
        "linked_pixiv_id": "5",
        "ai": "yes",
        "status": "active",
        "title": "風景",
        "caption": "one\ntwo",
        "record_place": "here",
    }


def test_what_is_left_out_is_unknown():
    record = read(file=None, by_model=None, state=None, rate=None, tags=None, uploader=5)
    assert [record[name] for name in ("kind", "ai", "status", "rating", "url")] == [
        *("image", "unknown", "active"),
        *(None, None),
    ]
    assert record["tags_general"] == record["artist_ids"] == []


def test_values_are_compared_as_text_without_case():
    assert read(rate="Adult")["rating"] == "explicit"
    assert read(rate=1.0)["rating"] == "sensitive"
    assert read(state="Removed")["status"] == "deleted"
    assert read(file={"url": "x/1.webm"})["kind"] == "animation"


def test_the_first_known_path_counts_and_lists_take_all():
    assert read(made="2020-01-01")["created"] == datetime(2020, 1, 1, tzinfo=UTC)
    assert read(helper={"id": "bo"})["artist_ids"] == ["7", "bo"]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"id": None}, "id: field required"),
        ({"id": "a/b"}, "id: has other characters than letters, digits, - and _"),
        ({"id": 2.0**60}, "id: a float that large has lost digits; store it as int64 or text"),
        ({"num": None}, "page: field required"),
        ({"rate": "x"}, "rate: unknown value 'x'"),
        ({"rate": [1]}, "rate: not a text or a whole number"),
        ({"made": "soon"}, "made or posted: not a time"),
        ({"size": {"w": -1}}, "size.w: not a number from 0 to 2147483647"),
        ({"people": [1]}, "people: not tags"),
        ({"name": ["a"]}, "name: not text"),
    ],
)
def test_what_cannot_be_read_names_the_raw_field(changes, wrong):
    assert reason(**changes) == wrong


def test_a_rating_without_values_must_be_one_of_ours():
    bare = source("{post_id: id, page: num, rating: rate}")
    records, rejects = parse_records(bare, [("a", RAW | {"rate": "questionable"}), ("b", RAW)])
    assert records["rating"].to_list() == ["questionable"]
    assert rejects["reason"].to_list() == ["rate: unknown value '0'"]
