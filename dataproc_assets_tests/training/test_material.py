from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.material import fold, plain
from training.texts import CAPTIONS, captions

ROW = {
    "path": "usr/share/openclipart/png/animals/cat_01.png",
    "folder": "animals/mammals",
    "title": "sleeping cat",
    "file": "cat",
    "keywords": ["animal", "cat", "mammal"],
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Clipart by Nicu Buculei - piggybank", "piggybank"),
        ("apple_pie 01 by Gerald", "apple pie"),
        ("SailBoat (black and white)", "sail boat"),
        ("Magelan Handheld GPS-2", "magelan handheld gps"),
        ("0x8b4d840", ""),
    ],
)
def test_plain_leaves_the_words_that_say_what_a_picture_shows(text, words):
    assert plain(text) == words


@given(st.text(max_size=30))
def test_a_creator_has_one_fold_however_the_name_is_written(creator):
    ascii_name = creator.encode("ascii", "ignore").decode()
    assert fold(ascii_name) == fold(ascii_name.upper())


def test_folds_are_a_tenth_unseen_and_a_tenth_validation():
    drawn = Counter(fold(f"creator {n}") for n in range(4000))
    assert 0.08 < drawn["unseen"] / 4000 < 0.12
    assert 0.08 < drawn["validation"] / 4000 < 0.12


def test_captions_of_a_picture_are_drawn_from_its_path_alone():
    drawn = captions(ROW)
    assert len(drawn) == CAPTIONS and drawn == captions(dict(ROW))
    assert drawn != captions({**ROW, "path": "usr/share/openclipart/png/animals/cat_02.png"})
    known = {"sleeping cat", "cat", "animal", "mammal", "animals mammals"}
    assert {part for text in drawn for part in text.split(", ")} <= known


def test_a_picture_without_title_and_keywords_is_called_by_its_folder():
    bare = {**ROW, "title": "", "file": "", "keywords": []}
    assert set(captions(bare)) == {"animals mammals"}
