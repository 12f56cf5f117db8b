import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.dedup.families import families

KEYS = [f"k{number}" for number in range(8)]
MEMBERS = st.lists(st.integers(0, 3), min_size=8, max_size=8)
EDGES = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=6)


def members(components: list[int]) -> pl.DataFrame:
    """Each key is an image of its own, but for k0, which has none."""
    return pl.DataFrame(
        {
            "image_key": KEYS,
            "image_id": [None, *(f"i{number}" for number in range(1, 8))],
            "component": [f"c{number}" for number in components],
        }
    )


def joined(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"a": pl.String, "b": pl.String}, orient="row")


def test_a_variant_and_a_component_join_their_images():
    found = families(members([0, 1, 1, 2, 3, 4, 5, 6]), joined([("k2", "k3")]))
    by_image = dict(found.iter_rows())
    assert by_image["i1"] == by_image["i2"] == by_image["i3"] == "i1"
    assert by_image["i4"] == "i4"


def test_what_has_no_image_still_joins_those_beside_it():
    found = dict(families(members([0, *range(1, 8)]), joined([("k0", "k4"), ("k0", "k7")])).rows())
    assert found["i4"] == found["i7"] == "i4"


@given(MEMBERS, EDGES, st.randoms(use_true_random=False))
def test_nothing_that_hangs_together_is_apart_in_any_order(components, pairs, order):
    rows = members(components)
    found = dict(families(rows, joined(pairs)).rows())
    assert set(found) == set(rows["image_id"].drop_nulls())
    ids = dict(rows.select("image_key", "image_id").rows())
    for a, b in pairs:
        if ids[a] and ids[b]:
            assert found[ids[a]] == found[ids[b]]
    for one, other in zip(rows.rows(), rows.rows()[1:], strict=False):
        if one[2] == other[2] and one[1] and other[1]:
            assert found[one[1]] == found[other[1]]
    assert all(family <= image for image, family in found.items())
    shuffled = list(pairs)
    order.shuffle(shuffled)
    again = families(rows.sample(fraction=1, shuffle=True, seed=1), joined(shuffled))
    assert dict(again.rows()) == found
