import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dataproc_assets.storage.split_keys import middle

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(KEYS, KEYS)
def test_a_middle_lies_between_the_keys_and_is_a_path(low, high):
    low, high = sorted((low, high))
    key = middle(low, high)
    assume(key is not None)
    assert low.encode() < key.encode() < high.encode()
    assert not {"", ".", ".."} & set(key.split("/"))


@pytest.mark.parametrize(
    ("low", "high", "key"),
    [
        ("a/10", "a/30", "a/2"),
        ("a/1000", "a/2000", "a/1`"),
        ("a/102931582_p0.webp", "a0", "a/X"),
        ("", "\U0010ffff", "O"),
        ("a/あ", "a/ん", "a/な"),
        ("same", "same", None),
        ("b", "a", None),
    ],
)
def test_a_middle_is_short_and_about_half_way(low, high, key):
    assert middle(low, high) == key


def test_halving_comes_to_the_only_keys_there_are():
    low, high, steps = "x/resized_1572864/100000000_p0.webp", "x0", 0
    while middle(low, high) and not high.startswith("x/resized_1572864/1"):
        high = middle(low, high)
        steps += 1
    assert steps < 150
    assert high > low
