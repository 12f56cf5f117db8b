import pytest
import yaml
from pydantic import ValidationError

from dataproc_assets.config.adapters import COLUMNS, shipped
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets_tests.sources.raw import CONF, SOURCES


def test_every_adapter_has_a_source_of_its_name():
    assert sorted([*SOURCES, COLUMNS]) == shipped()
    assert all(source.name == source.adapter == name for name, source in SOURCES.items())


def test_boorus_outrank_each_other_and_user_tags():
    order = ["danbooru", "gelbooru", "yandere", "pixiv", "twitter"]
    trust = [SOURCES[name].trust.tags for name in order]
    assert trust == sorted(set(trust), reverse=True)


@pytest.mark.parametrize("own", ["pixiv", "twitter", "artstation"])
@pytest.mark.parametrize("booru", ["danbooru", "gelbooru", "yandere"])
def test_an_artists_own_page_outranks_a_booru(own, booru):
    assert SOURCES[own].trust.artist > SOURCES[booru].trust.artist
    assert SOURCES[own].trust.created > SOURCES[booru].trust.created


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "^(?P<id>[0-9]+)$"}, r"named groups \['id'\], but native_id is made of"),
        ({"key": "(?P<id>[0-9]+_p(?P<page>1)"}, "not a regular expression"),
        ({"removed_share_max": 1.5}, "less than or equal to 1"),
        ({"settle_seconds": -1}, "greater than or equal to 0"),
        ({"adapter": "deviantart"}, "no adapter 'deviantart'; there are artstation, columns, dan"),
        ({"adapter": "danboru"}, "no adapter 'danboru'; did you mean 'danbooru'?"),
        ({"adapter": "my_package.my_site"}, "no module 'my_package.my_site' can be found"),
        ({"adapter": "__init__"}, "no adapter '__init__'"),
        ({"adapter": "columns"}, "belong together"),
        ({"columns": {"post_id": "id"}}, "belong together"),
        ({"native_id": "{id}_p{num}"}, "match pattern"),
        ({"native_id": "{id}/{page}"}, "match pattern"),
        ({"native_id": "p{page}"}, r"native_id needs {id}"),
        ({"native_id": "{id}_{id}_{page}"}, r"native_id needs {id}"),
        ({"trust": {"tags": 0.5}}, "Field required"),
        ({"truts": {}}, "Extra inputs are not permitted"),
        ({"crawl": {"prefix": "a", "extensions": ["jpg"]}}, "neither images nor shards"),
        ({"crawl": {"prefix": "/a/", "extensions": ["jpg"], "images": ["*"]}}, "match pattern"),
    ],
)
def test_a_wrong_source_fails_when_it_is_read(change, message):
    good = yaml.safe_load((CONF / "pixiv.yaml").read_text("utf-8"))
    with pytest.raises(ValidationError, match=message):
        SourceConfig.model_validate(good | change)


FLAT = {
    "post_id": "id",
    "post_url": "https://example.org/{id}",
    "rating": {"from": "r", "values": {"s": "general", 2: "explicit", True: "explicit"}},
    "created": {"from": ["made", "meta.made"], "unit": "milliseconds"},
}


def flat(**columns) -> dict:
    source = yaml.safe_load((CONF / "danbooru.yaml").read_text("utf-8"))
    return source | {"adapter": "columns", "columns": FLAT | columns}


def test_columns_are_written_short_or_with_what_is_done_to_them():
    columns = SourceConfig.model_validate(flat()).columns
    assert columns is not None and columns.rating is not None and columns.created is not None
    assert columns.post_id.paths == ["id"]
    assert columns.rating.values == {"s": "general", "2": "explicit", "true": "explicit"}
    assert columns.created.paths == ["made", "meta.made"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"favorites": "likes"}, "Extra inputs are not permitted"),
        ({"title": {"form": "t"}}, "Field required"),
        ({"title": []}, "at least 1 item"),
        ({"title": "a..b"}, "match pattern"),
        ({"rating": {"from": "r", "values": {"s": "safe"}}}, "rating: no 'safe'; there are exp"),
        ({"ai": {"from": "r", "values": {"1": "yes"}, "otherwise": "maybe"}}, "ai: no 'maybe'"),
        ({"title": {"from": "t", "otherwise": "none"}}, "give `values` too"),
        ({"title": {"from": "t", "take": "("}}, "not a regular expression"),
        ({"title": {"from": "t", "take": "a"}}, "needs one group"),
        ({"post_url": "https://example.org/{num}"}, "post_url: an address with"),
        ({"post_url": "https://example.org/"}, "post_url: an address with"),
        ({"created": {"from": "t", "unit": "days"}}, "'seconds' or 'milliseconds'"),
    ],
)
def test_wrong_columns_fail_when_they_are_read(columns, message):
    with pytest.raises(ValidationError, match=message):
        SourceConfig.model_validate(flat(**columns))


def test_columns_must_have_what_a_native_id_is_made_of():
    paged = flat() | {"native_id": "{id}_{page}", "key": "^(?P<id>[0-9]+)_(?P<page>[0-9]+)"}
    with pytest.raises(ValidationError, match="so columns must say where it is"):
        SourceConfig.model_validate(paged)
    source = SourceConfig.model_validate(paged | {"columns": FLAT | {"page": "num"}})
    assert source.key_parts == ["id", "page"]
