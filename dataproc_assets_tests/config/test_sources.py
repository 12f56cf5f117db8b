import pytest
import yaml
from pydantic import ValidationError

from dataproc_assets.config.sources import NATIVE_IDS, SourceConfig
from dataproc_assets_tests.sources.raw import CONF, SOURCES


def test_every_adapter_has_a_source_of_its_name():
    assert sorted(SOURCES) == sorted(NATIVE_IDS)
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
        ({"key": "^(?P<id>[0-9]+)$"}, r"named groups \['id'\], but keys of pixiv are made of"),
        ({"key": "(?P<id>[0-9]+_p(?P<page>1)"}, "not a regular expression"),
        ({"removed_share_max": 1.5}, "less than or equal to 1"),
        ({"settle_seconds": -1}, "greater than or equal to 0"),
        ({"adapter": "deviantart"}, "Input should be 'pixiv'"),
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
