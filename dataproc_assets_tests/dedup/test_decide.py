import polars as pl
import pytest

from dataproc_assets.dedup import EDGE_SCHEMA, find_edges
from dataproc_assets_tests.dedup.build import at_cosine, make_config, make_items, thumbnail

CONFIG = make_config()
LINK = {"linked_source": "https://post/1"}
NEAR, VARIANT, APART = 0b1111_1111, (1 << 9) - 1, (1 << 21) - 1


def decided(first: dict, second: dict) -> list[tuple]:
    items = make_items(
        {"image_key": "danbooru/1", "embedding": at_cosine(1), "phash": 0, "post_id": "1"}
        | {"url": "https://post/1"}
        | first,
        {"image_key": "danbooru/2", "embedding": at_cosine(0.98), "phash": 0} | second,
    )
    edges = find_edges(items, CONFIG)
    assert edges.schema == pl.Schema(EDGE_SCHEMA)
    return edges.select("evidence", "kind").rows()


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"phash": NEAR}, [(["cosine_phash"], "duplicate")]),
        ({"phash": VARIANT}, [([], "variant")]),
        ({"phash": None}, [([], "variant")]),
        ({"phash": APART}, []),
        ({"embedding": at_cosine(0.96)}, []),
        ({"embedding": None}, []),
        # The detail parts what cosine and pHash would join, unless the bytes are equal.
        ({"detail": thumbnail(1, 4)}, [(["cosine_phash"], "duplicate")]),
        ({"detail": thumbnail(1, 30)}, [(["detail"], "variant")]),
        ({"detail": thumbnail(1, 30), "sha256": "s"}, [(["cosine_phash", "sha256"], "duplicate")]),
        ({"detail": thumbnail(1, 30)} | LINK, [(["source_url", "detail"], "variant")]),
        ({"detail": thumbnail(1, 30), "parent_id": "1"}, [(["parent", "detail"], "variant")]),
        # A link says of less alike pictures what no detail can: nothing there fits cell by cell.
        (
            {"detail": thumbnail(2), "embedding": at_cosine(0.9)} | LINK,
            [(["source_url"], "duplicate")],
        ),
        # Equal bytes join whatever the pictures say.
        ({"sha256": "s", "embedding": at_cosine(0)}, [(["sha256"], "duplicate")]),
        ({"record_md5": "m", "phash": APART}, [(["md5"], "duplicate")]),
        # A link joins what is not unlike, and is outvoted by the pictures where it is.
        ({"embedding": at_cosine(0.9)} | LINK, [(["source_url"], "duplicate")]),
        ({"embedding": at_cosine(0.7)} | LINK, [(["source_url"], "link_mismatch")]),
        ({"embedding": None} | LINK, [(["source_url"], "duplicate")]),
        ({"phash": VARIANT} | LINK, [(["source_url"], "variant")]),
        ({"phash": APART} | LINK, [(["source_url"], "variant")]),
        (LINK, [(["cosine_phash", "source_url"], "duplicate")]),
        # A parent says nothing unless the pictures are alike, and then changes nothing.
        ({"parent_id": "1"}, [(["cosine_phash", "parent"], "duplicate")]),
        ({"parent_id": "1", "phash": VARIANT}, [(["parent"], "variant")]),
        ({"parent_id": "1", "embedding": at_cosine(0.9)}, []),
    ],
)
def test_what_a_pair_amounts_to(second: dict, expected: list):
    assert decided({"sha256": "s", "md5": "m", "detail": thumbnail(1)}, second) == expected


def test_figures_of_an_edge():
    items = make_items(
        {"image_key": "pixiv/1_p0", "embedding": at_cosine(1), "phash": 0b11}
        | {"detail": thumbnail(1, 4)},
        {"image_key": "danbooru/1", "embedding": at_cosine(1), "phash": 1 << 63}
        | {"detail": thumbnail(1)},
    )
    assert find_edges(items, CONFIG).rows() == [
        ("danbooru/1", "pixiv/1_p0", 1.0, 3, 80, ["cosine_phash"], "duplicate")
    ]
