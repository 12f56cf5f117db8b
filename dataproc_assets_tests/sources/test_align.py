import polars as pl

from dataproc_assets.sources.align import align_records
from dataproc_assets.sources.parse import RECORDS_SCHEMA
from dataproc_assets_tests.sources.raw import SOURCES, records_of


def aligned(source: str, records: pl.DataFrame, *keys: str) -> pl.DataFrame:
    images = pl.LazyFrame({"image_key": list(keys)}, schema={"image_key": pl.String})
    return align_records(records.lazy(), images, SOURCES[source]).collect()


def test_an_artstation_file_named_by_number_gets_the_record_keyed_by_hash():
    records = aligned("artstation", records_of("artstation", {}), "artstation/3513664_12260469")
    assert records.schema == RECORDS_SCHEMA
    assert records.select("image_key", "post_id").rows() == [
        ("artstation/3513664_12260469", "mr5aZ")
    ]


def test_two_artstation_files_of_one_asset_both_get_its_record():
    keys = ("artstation/3513664_12260469", "artstation/mr5aZ_12260469")
    assert aligned("artstation", records_of("artstation", {}), *keys)["image_key"].to_list() == [
        *keys
    ]


def test_an_artstation_record_that_names_the_file_comes_before_one_of_the_same_asset():
    records = records_of("artstation", {"title": "hash"}, {"hash_id": None, "title": "number"})
    found = aligned("artstation", records, "artstation/mr5aZ_12260469")
    assert found.select("image_key", "title").rows() == [("artstation/mr5aZ_12260469", "hash")]


def test_an_artstation_record_without_image_stays():
    records = aligned("artstation", records_of("artstation", {}), "artstation/aaaaa_1")
    assert records["image_key"].to_list() == ["artstation/mr5aZ_12260469"]


def test_a_pixiv_page_without_record_gets_its_works_less_what_is_of_one_page():
    records = records_of("pixiv", {"x_restrict": 1})
    found = aligned("pixiv", records, "pixiv/102932581_p0", "pixiv/102932581_p2", "pixiv/7_p0")
    columns = ("image_key", "page", "rating", "width", "url")
    url = records["url"].item()
    assert found.select(columns).rows() == [
        ("pixiv/102932581_p0", 0, "explicit", 2160, url),
        ("pixiv/102932581_p2", 2, "explicit", None, None),
    ]
    assert found.schema == RECORDS_SCHEMA


def test_a_page_with_a_record_of_its_own_keeps_it():
    records = records_of("twitter", {"content": "one"}, {"num": 2, "content": "two"})
    post = "twitter/1499364669504786436"
    found = aligned("twitter", records, f"{post}_1", f"{post}_2", f"{post}_3")
    assert found.select("image_key", "caption").rows() == [
        (f"{post}_1", "one"),
        (f"{post}_2", "two"),
        (f"{post}_3", "one"),
    ]


def test_a_booru_is_left_as_it_is():
    records = records_of("danbooru", {"id": 2}, {"id": 1})
    found = aligned("danbooru", records, "danbooru/3")
    assert found["image_key"].to_list() == ["danbooru/1", "danbooru/2"]
