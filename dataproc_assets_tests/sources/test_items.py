import gzip
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataproc_assets.config.record_files import RecordFilesConfig
from dataproc_assets.sources import items as module
from dataproc_assets.sources.items import Item
from dataproc_assets.sources.parse import parse_records
from dataproc_assets_tests.sources.raw import RAW, SOURCES

LIMITS = RecordFilesConfig(
    readers=2,
    ahead_bytes=1000,
    gap_bytes=0,
    span_bytes=1000,
    stream_bytes=1000,
    block_bytes=100,
    record_bytes=2000,
    file_bytes=200_000,
    unit_files=10,
    unit_bytes=1000,
)


def record_items(place: str, name: str, data: bytes, **limits: int) -> Iterator[Item]:
    config = LIMITS.model_copy(update=limits)
    return module.record_items(place, name, io.BytesIO(data), config)


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
    for name in ("a.json.gz", "a.json.zst", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"):
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


def test_concatenated_archives_are_read_to_the_end():
    halves = (LINES[:10], LINES[10:])
    for name, pack in (("posts.jsonl.gz", gzip.compress), ("posts.jsonl.zst", compressed_zst)):
        assert list(record_items("p", name, b"".join(map(pack, halves)))) == PLACED


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.jsonl.gz", "posts.jsonl.zst"])
def test_a_record_that_is_too_long_is_rejected_alone(name):
    data = b"1234567890\n" + b"x" * 35 + b"\n12345678901\n\n1234567890"
    pack = {"gz": gzip.compress, "zst": compressed_zst}.get(name.rpartition(".")[2], bytes)
    items = list(record_items("p", name, pack(data), record_bytes=10))
    assert [(place, str(payload)) for place, payload in items] == [
        ("p:1", str(b"1234567890\n")),
        ("p:2", "has more than 10 bytes (crawl.records.record_bytes)"),
        ("p:3", "has more than 10 bytes (crawl.records.record_bytes)"),
        ("p:5", str(b"1234567890")),
    ]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("pack", [gzip.compress, compressed_zst])
def test_a_bomb_is_not_unpacked(kind, pack):
    """100 MB of one line, and of many lines: no more is held than the limits say."""
    name = f"a.{kind}.{'gz' if pack is gzip.compress else 'zst'}"
    bomb = pack(bytes(100_000_000))
    tracemalloc.start()
    items = list(record_items("p", name, bomb, file_bytes=1_000_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert str(items[0][1]) == "has more than 2000 bytes (crawl.records.record_bytes)"
    if kind == "jsonl":
        place, reason = items[-1]
        assert place == "p" and str(reason) == (
            "it unpacks to more than 1000000 bytes (crawl.records.file_bytes); "
            "what comes after is not read"
        )


def test_of_many_lines_of_a_bomb_the_first_are_read():
    items = list(record_items("p", "a.jsonl.gz", gzip.compress(b"{}\n" * 100), file_bytes=30))
    assert items[:10] == [(f"p:{n}", b"{}\n") for n in range(1, 11)]
    assert len(items) == 11 and isinstance(items[10][1], ValueError)


def test_plain_lines_have_no_limit_but_each_its_own():
    assert len(list(record_items("p", "a.jsonl", b"{}\n" * 100, file_bytes=30))) == 100


def written(frame: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(frame, sink, **options)
    return sink.getvalue()


def test_rows_of_several_groups_are_counted_through():
    data = written(pa.table({"id": list(range(7))}), row_group_size=3)
    assert list(record_items("d", "d.parquet", data)) == [
        (f"d:{n}", {"id": n - 1}) for n in range(1, 8)
    ]


def test_a_row_group_that_unpacks_to_too_much_is_not_read():
    data = written(pa.table({"x": ["a" * 1000] * 100}), use_dictionary=False, compression="zstd")
    ((place, reason),) = record_items("d", "d.parquet", data, file_bytes=1000)
    assert place == "d" and "its row group 0 unpacks to more than 1000 bytes" in str(reason)


def test_a_row_whose_text_is_no_text_is_rejected_alone():
    texts = pa.array([b"a", b"\xff", b"c"], pa.binary()).view(pa.string())
    items = list(record_items("d", "d.parquet", written(pa.table({"t": texts}))))
    assert items[0] == ("d:1", {"t": "a"}) and items[2] == ("d:3", {"t": "c"})
    assert (items[1][0], str(items[1][1])) == ("d:2", "not UTF-8: byte 0 of a text is not utf-8")


class Broken(io.BytesIO):
    """A file that gives its first bytes, at most `most`, and then the connection breaks."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self.most, self.asked = most, 0

    def read(self, size: int | None = -1) -> bytes:
        self.asked += 1
        if self.asked > 1:
            raise ConnectionError("lost")
        return super().read(min(size or 0, self.most))

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_a_lost_connection_is_no_damage(name):
    """It must not set good records aside for ever: the stage fails, and is made again."""
    rows = pa.table({"id": [n * 7919 for n in range(2000)]})
    lines = b"".join(b'{"id": %d}\n' % (n * 7919) for n in range(2000))
    packs = {"gz": gzip.compress, "zst": compressed_zst, "parquet": lambda _: written(rows)}
    data = packs.get(name.rpartition(".")[2], bytes)(lines)
    broken = Broken(data, len(data) if name == "a.parquet" else 1000)
    file = io.BufferedReader(broken, 1000) if name == "a.jsonl" else broken
    with pytest.raises(ConnectionError, match="lost"):
        list(module.record_items("p", name, file, LIMITS))
