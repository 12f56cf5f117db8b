import gzip
import io

import polars as pl
import pyarrow as pa

from dataproc_assets.sources.items import record_items
from dataproc_assets.sources.parse import parse_records
from dataproc_assets_tests.sources.raw import RAW, SOURCES

LINES = b'{"id": 1}\n\n{"id": 2}\r\n{"id": 3}'
PLACED = [("p:1", b'{"id": 1}\n'), ("p:3", b'{"id": 2}\r\n'), ("p:4", b'{"id": 3}')]


def compressed_zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def test_json_is_one_record():
    assert list(record_items("p", "1.JSON", LINES)) == [("p", LINES)]


def test_json_lines_are_placed_by_line():
    assert list(record_items("p", "posts.jsonl", LINES)) == PLACED


def test_compressed_json_lines():
    assert list(record_items("p", "posts.jsonl.gz", gzip.compress(LINES))) == PLACED
    assert list(record_items("p", "posts.jsonl.zst", compressed_zst(LINES))) == PLACED


def test_a_cut_gzip_gives_what_can_be_read_and_then_the_damage():
    many = b"".join(b'{"id": %d}\n' % (number * 7919) for number in range(5000))
    cut = gzip.compress(many)[:-2000]
    items = list(record_items("p", "posts.jsonl.gz", cut))
    assert items[0] == ("p:1", b'{"id": 0}\n')
    assert 1 < len(items) < 5000
    place, payload = items[-1]
    assert (place, str(payload)) == ("p", "damaged gz file: EOFError")


def test_files_that_are_not_what_their_name_says():
    for name in ("a.jsonl.gz", "a.jsonl.zst", "a.parquet"):
        ((place, payload),) = record_items("p", name, b"not that")
        assert place == "p"
        assert str(payload).startswith(f"damaged {name.rpartition('.')[2]} file: ")


def test_a_name_without_reader():
    ((_, payload),) = record_items("p", "posts.csv", b"id\n1")
    assert str(payload) == "no reader for this name; records are .json, .jsonl or .parquet"


def test_parquet_dumps_with_float_ids_and_exact_integers():
    post = RAW["danbooru"] | {"source": None}
    frame = pl.DataFrame(
        [
            post | {"id": 1, "parent_id": 162305.0, "pixiv_id": None},
            post | {"id": 2, "parent_id": float("nan"), "pixiv_id": 1129835.0},
            post | {"id": None, "parent_id": None, "pixiv_id": None},
        ],
        schema_overrides={"parent_id": pl.Float64, "pixiv_id": pl.Float64},
    )
    file = io.BytesIO()
    frame.write_parquet(file)
    items = record_items("dump.parquet", "dump.parquet", file.getvalue())
    records, rejects = parse_records(SOURCES["danbooru"], items)
    assert records.select("image_key", "parent_id", "linked_pixiv_id").rows() == [
        ("danbooru/1", "162305", None),
        ("danbooru/2", None, "1129835"),
    ]
    assert rejects.rows() == [("danbooru", "dump.parquet:3", "id: field required")]


def test_nullable_int64_in_parquet_keeps_its_digits():
    tweet = {key: value for key, value in RAW["twitter"].items() if key != "author"}
    frame = pl.DataFrame([tweet | {"tweet_id": 2**53 + 1}, tweet | {"tweet_id": None}])
    file = io.BytesIO()
    frame.write_parquet(file)
    records, _ = parse_records(SOURCES["twitter"], record_items("d", "d.parquet", file.getvalue()))
    assert records["image_key"].to_list() == ["twitter/9007199254740993_1"]
