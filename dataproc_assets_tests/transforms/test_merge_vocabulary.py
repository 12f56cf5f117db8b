import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.config.tag_tables import misspelt
from dataproc_assets.transforms.merge_vocabulary import NOTHING, spelled, vocabulary


def readings(words, spelling):
    """The tags that a spelling stands for, each with what is said of it."""
    more = words.implied[words.offsets[spelling] : words.offsets[spelling + 1]]
    found = [words.direct[spelling], *more]
    return [
        (words.names[int(words.tags[one])], words.said[int(one)]) for one in found if one != NOTHING
    ]


def test_a_spelling_is_corrected_then_named_by_its_alias_then_what_follows():
    spellings = pl.Series([" ", "Cat Ears", "animal_ears", "猫耳"])
    words = vocabulary(spellings, {"猫耳": "cat_ears"}, {"cat_ears": ["animal_ears", "ears"]})
    assert words.names.to_list() == ["animal_ears", "cat_ears", "ears"]
    assert readings(words, 0) == []
    assert readings(words, 1) == [
        ("cat_ears", "Cat Ears"),
        ("animal_ears", "Cat Ears"),
        ("ears", "Cat Ears"),
    ]
    assert readings(words, 2) == [("animal_ears", None)]
    assert readings(words, 3) == [("cat_ears", "猫耳"), ("animal_ears", "猫耳"), ("ears", "猫耳")]
    assert readings(words, 4) == []  # a null's number


def test_of_one_tag_its_own_spelling_is_first_and_what_implies_it_last():
    spellings = pl.Series(["a implied", "b", "Z"])
    words = vocabulary(spellings, {"z": "b"}, {"a_implied": ["b"]})
    of_b = words.names.index_of("b")
    at_b = [said for tag, said in zip(words.tags, words.said, strict=True) if tag == of_b]
    assert at_b == [None, "Z", "a implied"]


def test_no_spellings_at_all():
    words = vocabulary(pl.Series([], dtype=pl.String), {}, {"a": ["b"]})
    assert (len(words.names), len(words.tags)) == (0, 0)


@given(st.text(alphabet="aB _ß猫ÀΣ", min_size=1))
def test_tables_are_held_to_the_spelling_of_tags(tag):
    right = pl.select(spelled(pl.lit(tag))).item()
    assert (misspelt(tag) == "") == (right == tag and tag != "")
    assert right == "" or misspelt(right) == ""
