import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.dedup import find_edges
from dataproc_assets.dedup.prints import near_prints, same_bytes, same_picture
from dataproc_assets.dedup.quantise import quantise
from dataproc_assets_tests.dedup.build import at_cosine, make_config, make_items, thumbnail

CONFIG = make_config()
NEAR, FAR = 0b1111_1111, (1 << 9) - 1


def vector(embedding) -> bytes | None:
    if embedding is None:
        return None
    return quantise(np.array([embedding], np.float32))[0].tobytes()


def images(*rows: dict) -> pl.DataFrame:
    plain = [
        {"image_key": f"x/{n}", "phash": 0, "sha256": None, "md5": None, **row}
        for n, row in enumerate(rows)
    ]
    schema = {"image_key": pl.String, "phash": pl.UInt64, "sha256": pl.String, "md5": pl.String}
    details = [row.get("detail", thumbnail(1)) for row in rows]
    return pl.DataFrame(plain, schema=schema).with_columns(
        pl.Series("detail", details, pl.Array(pl.UInt8, len(thumbnail(1)))),
        pl.Series(
            "vector", [vector(row.get("embedding", at_cosine(1))) for row in rows], pl.Binary
        ),
    )


def prints(*rows: dict) -> pl.DataFrame:
    values = images(*rows)
    packed = [bytes(value) if value is not None else None for value in values["detail"].to_list()]
    return values.select(
        "sha256",
        "md5",
        "phash",
        "vector",
        of=pl.format("entry{}", pl.int_range(pl.len())),
        detail=pl.Series(packed, dtype=pl.Binary),
        model=pl.Series([row.get("model", "m") for row in rows], dtype=pl.String),
    )


def found(mine: pl.DataFrame, theirs: pl.DataFrame, model: str = "m") -> dict[str, str]:
    pairs = near_prints(mine, theirs, CONFIG)
    hits = same_picture(pairs, mine, theirs, CONFIG, model)
    return dict(hits.select("image_key", "of").iter_rows())


@pytest.mark.parametrize(
    ("image", "taken"),
    [
        ({}, True),
        ({"phash": NEAR}, True),
        ({"phash": FAR}, False),
        ({"phash": None}, False),
        ({"embedding": at_cosine(0.98)}, True),
        ({"embedding": at_cosine(0.96)}, False),
        ({"detail": thumbnail(1, 4)}, True),
        ({"detail": thumbnail(1, 30)}, False),
        ({"embedding": None}, True),
        ({"detail": None}, True),
    ],
)
def test_an_image_is_a_picture_that_was_taken_down_where_the_search_would_join_them(image, taken):
    assert found(images(image), prints({})) == ({"x/0": "entry0"} if taken else {})


def test_a_print_of_another_model_is_judged_without_its_vector():
    unlike = images({"embedding": at_cosine(0.5)})
    assert found(unlike, prints({"model": "old"})) == {"x/0": "entry0"}
    assert found(unlike, prints({})) == {}
    assert found(images({"phash": FAR}), prints({"model": "old"})) == {}


def test_equal_bytes_are_one_file_whatever_the_rest_says():
    mine = images({"sha256": "a", "phash": FAR}, {"md5": "b"}, {"sha256": "c"}, {})
    theirs = prints({"sha256": "a", "md5": "z"}, {"md5": "b", "sha256": "y"})
    hits = same_bytes(mine, theirs)
    assert hits.select("image_key", "of", "reason").rows() == [
        ("x/0", "entry0", "the same file"),
        ("x/1", "entry1", "the same file"),
    ]


def test_without_prints_or_images_nothing_is_found():
    assert found(images({}), prints()) == {}
    assert found(images(), prints({})) == {}


@given(
    hashes=st.lists(st.integers(0, 2**64 - 1), max_size=8),
    flips=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 12)), max_size=8),
    cosines=st.lists(st.sampled_from([1, 0.98, 0.965, 0.5]), min_size=8, max_size=8),
)
def test_it_is_what_the_search_calls_duplicates(hashes, flips, cosines):
    theirs = [{"phash": value} for value in hashes]
    mine = [
        {
            "phash": (hashes[at % len(hashes)] if hashes else 0) ^ ((1 << bits) - 1),
            "embedding": at_cosine(cosines[number]),
        }
        for number, (at, bits) in enumerate(flips)
    ]
    hits = found(images(*mine), prints(*theirs))
    plain = [
        {"image_key": f"{kind}/{n}", "embedding": at_cosine(1), "detail": thumbnail(1), **row}
        for kind, rows in (("p", theirs), ("x", mine))
        for n, row in enumerate(rows)
    ]
    edges = find_edges(make_items(*plain), CONFIG) if plain else None
    joined = set()
    if edges is not None:
        kinds = edges.filter(pl.col("kind") == "duplicate").select("a", "b").rows()
        joined = {b for a, b in kinds if a.startswith("p/") and b.startswith("x/")}
    assert set(hits) == joined
