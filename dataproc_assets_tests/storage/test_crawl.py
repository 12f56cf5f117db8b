import pytest

from dataproc_assets.config.sources import CrawlConfig
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.crawl import list_objects, listing_digest, read_crawl
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.storage.shards import dali_index, plain_reader, tar_bytes

CRAWL = CrawlConfig(
    prefix="dataset-x",
    images=["resized_*/*"],
    extensions=["webp", "jpg"],
    shards=["*.tar"],
    records=["resized_*/*.json", "posts-?.jsonl"],
)
SHARD = {"a/1.webp": b"one", "1.json": b"{}", "notes.txt": b"junk", "2.JPG": b"two"}


def fill(store, objects):
    for path, data in objects.items():
        store.put(f"dataset-x/{path}", data)


def names(frame):
    return sorted(frame["name"])


def test_every_object_has_the_role_that_its_path_says(store):
    fill(
        store,
        {
            "resized_1/7_p0.webp": b"image",
            "resized_1/deep/er/8_p0.JPG": b"image",
            "resized_1/7.json": b"{}",
            "posts-1.jsonl": b"{}",
            "posts-10.jsonl": b"{}",
            "elsewhere/9_p0.webp": b"image",
            "resized_1/thumbs.db": b"junk",
            "resized_1/noext": b"junk",
        },
    )
    store.put("dataset-xy/resized_1/6_p0.webp", b"of another source")
    crawl = read_crawl(store, CRAWL, plain_reader())
    assert names(crawl.images) == ["7_p0.webp", "8_p0.JPG"]
    assert names(crawl.records) == ["7.json", "posts-1.jsonl"]
    assert crawl.images["offset"].null_count() == crawl.images["length"].null_count() == 2
    assert crawl.ignored.rows() == [
        (store.uri(f"dataset-x/{path}"), "matches no pattern of the source's crawl")
        for path in (
            *("elsewhere/9_p0.webp", "posts-10.jsonl"),
            *("resized_1/noext", "resized_1/thumbs.db"),
        )
    ]


def test_a_glob_is_literal_but_for_its_wild_cards(store):
    crawl = CrawlConfig(prefix="dataset-x", images=["a+b[1] (x)/*"], extensions=["webp"])
    fill(store, {"a+b[1] (x)/1.webp": b"", "aab1 (x)/2.webp": b"", "p/a+b[1] (x)/3.webp": b""})
    assert names(read_crawl(store, crawl, plain_reader()).images) == ["1.webp"]


def test_members_of_shards_are_images_records_or_junk_by_name(store):
    fill(store, {"0001.tar": tar_bytes(SHARD)})
    crawl = read_crawl(store, CRAWL, plain_reader())
    uri = store.uri("dataset-x/0001.tar")
    assert names(crawl.images) == ["1.webp", "2.JPG"]
    assert names(crawl.records) == ["1.json"]
    assert crawl.ignored.rows() == [(f"{uri}:notes.txt", "neither an image nor a record")]
    found = {
        name: read_address(*address)
        for name, *address in crawl.images.select("name", "uri", "offset", "length").iter_rows()
    }
    assert found == {"1.webp": b"one", "2.JPG": b"two"}


def test_a_cut_shard_gives_its_whole_members_and_its_reason(store):
    data = tar_bytes({"1.webp": b"1" * 600, "2.webp": b"2" * 600})
    fill(store, {"0001.tar": data[: data.index(b"22222") + 100], "0002.tar": b"none"})
    crawl = read_crawl(store, CRAWL, plain_reader())
    assert names(crawl.images) == ["1.webp"]
    assert dict(crawl.ignored.rows()) == {
        store.uri("dataset-x/0001.tar"): "truncated in member '2.webp'",
        store.uri("dataset-x/0002.tar"): "not a readable tar: truncated header",
    }


def test_an_index_beside_a_shard_is_no_junk_and_a_compressed_tar_says_what_it_is(store):
    data = tar_bytes(SHARD)
    fill(store, {"1.tar": data, "1.idx": dali_index(data), "2.idx": b"of no shard", "3.tgz": b""})
    crawl = read_crawl(store, CRAWL, plain_reader())
    assert dict(crawl.ignored.rows()) == {
        store.uri("dataset-x/1.tar:notes.txt"): "neither an image nor a record",
        store.uri("dataset-x/2.idx"): "matches no pattern of the source's crawl",
        store.uri("dataset-x/3.tgz"): "a compressed tar: no member of it can be read alone; "
        "unpack it to a .tar",
    }


def test_repacking_a_shard_is_no_change_of_its_images(store):
    fill(store, {"0001.tar": tar_bytes(SHARD)})
    before = read_crawl(store, CRAWL, plain_reader())
    fill(store, {"0001.tar": tar_bytes({"0.webp": b"new" * 500, **dict(reversed(SHARD.items()))})})
    after = read_crawl(store, CRAWL, plain_reader())

    def versions(crawl):
        return dict(crawl.images.select("name", "version").iter_rows())

    assert versions(after).items() >= versions(before).items()
    assert after.digest != before.digest
    fill(store, {"0001.tar": tar_bytes(SHARD, mtime=8)})
    changed = versions(read_crawl(store, CRAWL, plain_reader()))
    assert all(changed[name] != version for name, version in versions(before).items())


def test_other_bytes_of_a_file_are_another_version_and_another_digest(store):
    fill(store, {"resized_1/1.webp": b"one"})
    before = read_crawl(store, CRAWL, plain_reader())
    assert read_crawl(store, CRAWL, plain_reader()).digest == before.digest
    assert listing_digest(list_objects(store, "dataset-x")) == before.digest
    fill(store, {"resized_1/1.webp": b"another"})
    after = read_crawl(store, CRAWL, plain_reader())
    assert after.images["version"].item() != before.images["version"].item()
    assert after.digest != before.digest


def test_a_crawl_without_objects_has_its_columns(store):
    store.put("else", b"")
    crawl = read_crawl(store, CRAWL, plain_reader())
    assert crawl.images.is_empty()
    assert crawl.images.schema == crawl.records.schema
    assert crawl.ignored.is_empty()


def test_a_crawl_root_that_is_away_is_no_empty_crawl(tmp_path):
    with pytest.raises(ConnectionError, match="there is no such folder"):
        read_crawl(ObjectStore(str(tmp_path / "unmounted")), CRAWL, plain_reader())
