import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.storage.split_keys import Alphabet

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CRAWL = Alphabet("dataset/resized_1572864/0123456789_p.webp")


@given(KEYS, KEYS, KEYS)
def test_a_middle_lies_between_the_keys_and_is_a_path(low, high, chars):
    low, high = sorted((low, high))
    for alphabet in (Alphabet(chars), Alphabet(low + high), CRAWL):
        key = alphabet.middle(low, high)
        if key is not None:
            assert low.encode() < key.encode() < high.encode()
            assert not {"", ".", ".."} & set(key.split("/"))


@pytest.mark.parametrize(
    ("low", "high", "key"),
    [
        ("a/10", "a/30", "a/2"),
        ("a/1000", "a/2000", "a/16"),
        ("a/0", "a0", "a/5"),
        ("a/あ", "a/ん", None),
        ("same", "same", None),
        ("b", "a", None),
    ],
)
def test_a_middle_is_short_and_about_half_way(low, high, key):
    assert Alphabet("/0123456789").middle(low, high) == key


def test_the_alphabet_grows_with_the_keys():
    alphabet = Alphabet()
    assert alphabet.middle("a/あ", "a/ん") is None
    alphabet.add(["a/あ", "a/な", "a/ん"])
    assert alphabet.middle("a/あ", "a/ん") == "a/な"


def test_halving_comes_to_the_only_keys_there_are():
    low, high, steps = "x/resized_1572864/100000000_p0.webp", "x0", 0
    while not high.startswith("x/resized_1572864/1"):
        middle = CRAWL.middle(low, high)
        assert middle is not None
        high = middle
        steps += 1
    assert steps < 90


def test_the_way_ahead_is_judged_by_the_way_so_far():
    digits = Alphabet("/0123456789xy")
    assert digits.ahead("x/100", "x/200", "x/400") == pytest.approx(2)
    assert digits.ahead("x/100", "x/100", "x/400") is None
    assert digits.ahead(f"x/{'1' * 20}2", f"x/{'1' * 20}3", "y") is None
