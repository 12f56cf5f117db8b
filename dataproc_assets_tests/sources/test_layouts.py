import polars as pl
import pytest

from dataproc_assets.sources.layouts import image_keys
from dataproc_assets.sources.parse import parse_records
from dataproc_assets_tests.sources.raw import RAW, SOURCES

MD5 = "ac8e3b92ea328ce9cf7211e69c905bf9"


@pytest.mark.parametrize(
    ("source", "name", "key"),
    [
        ("pixiv", "102932581_p0.webp", "pixiv/102932581_p0"),
        ("pixiv", "resized_1572864/102932581_p0.webp", "pixiv/102932581_p0"),
        ("pixiv", "102932581_p07.JPG", "pixiv/102932581_p7"),
        ("pixiv", "141762848-757dab01_p0.jpg", "pixiv/141762848_p0"),
        ("danbooru", "294929.webp", "danbooru/294929"),
        ("danbooru", f"danbooru_294929_{MD5}.jpg", "danbooru/294929"),
        ("gelbooru", f"gelbooru_14970719_{MD5}.png", "gelbooru/14970719"),
        ("yandere", f"yandere_1223391_{MD5}.png", "yandere/1223391"),
        ("twitter", "1499364669504786436_1.jpg", "twitter/1499364669504786436_1"),
        ("artstation", "mr5aZ_12260469_doodle.jpg", "artstation/mr5aZ_12260469"),
        ("artstation", "mr5aZ_12260469_12_days_v2.0.jpg", "artstation/mr5aZ_12260469"),
        ("artstation", "3513664_12260469_doodle.jpg", "artstation/3513664_12260469"),
    ],
)
def test_keys_of_file_names(source, name, key):
    assert pl.select(image_keys(pl.lit(name), SOURCES[source])).item() == key


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("pixiv", "102932581_p0.webp.json"),
        ("pixiv", "102932581_p0.txt"),
        ("pixiv", "102932581.webp"),
        ("pixiv", "x102932581_p0.webp"),
        ("pixiv", "Thumbs.db"),
        ("pixiv", "102932581_p0"),
        ("danbooru", "294929.json"),
        ("danbooru", "gelbooru_294929.jpg"),
        ("twitter", "1499364669504786436.jpg"),
        ("artstation", "mr5aZ.jpg"),
    ],
)
def test_other_names_have_no_key(source, name):
    assert pl.select(image_keys(pl.lit(name), SOURCES[source])).item() is None


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("pixiv", "102932581_p0.webp"),
        ("danbooru", "294929.webp"),
        ("gelbooru", "gelbooru_14970719_da5619f7afe408e0589fa25d43603bb1.png"),
        ("yandere", "1223391.jpg"),
        ("twitter", "1499364669504786436_1.jpg"),
        ("artstation", "mr5aZ_12260469_doodle.jpg"),
    ],
)
def test_the_name_of_a_file_and_its_record_give_one_key(source, name):
    records, _ = parse_records(SOURCES[source], [("here", RAW[source])])
    assert (
        records["image_key"].item() == pl.select(image_keys(pl.lit(name), SOURCES[source])).item()
    )
