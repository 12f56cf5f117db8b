import json

import numpy as np
import polars as pl
import pytest
import torch

from training import measure_captions, measure_clip, measure_drawing, measure_score, measure_tagger
from training.measure import TABLES, WEIGHTS, write_card


def test_recall_counts_the_texts_that_find_their_own_picture():
    texts = torch.eye(4)
    images = torch.tensor([[1.0, 0, 0, 0], [0.9, 0.5, 0, 0], [0, 0, 0.1, 0.9], [0, 0, 0.2, 0.8]])
    assert measure_clip.recall(texts, images, 1) == 0.5
    assert measure_clip.recall(texts, images, 2) == 1.0


def test_pictures_are_sought_once_a_title_and_the_choice_is_by_path():
    rows = pl.DataFrame(
        {
            "path": ["a", "b", "c", "d"],
            "title": ["sleeping cat", "sleeping cat", "sun", "old tree"],
            "keywords": [["animal", "cat"], ["cat"], ["star"], list("abcdef")],
        }
    )
    assert measure_clip.searched(rows).rows() == [
        (0, "sleeping cat, animal, cat"),
        (3, "old tree, a, b, c, d"),
    ]
    assert len(measure_clip.searched(rows, 1)) == 1
    assert measure_clip.searched(rows, 1).equals(measure_clip.searched(rows, 1))


def test_average_precision_is_the_mean_precision_at_each_hit():
    p = np.array([0.9, 0.8, 0.7, 0.6])
    assert measure_tagger.average_precision(p, np.array([True, False, True, False])) == (
        pytest.approx((1 + 2 / 3) / 2)
    )
    assert measure_tagger.average_precision(p, np.array([False, False, False, True])) == 0.25


def test_a_tag_of_too_few_pictures_is_not_measured():
    p = np.array([[0.9, 0.1], [0.8, 0.9], [0.1, 0.2]])
    truth = np.array([[True, False], [True, True], [False, False]])
    assert measure_tagger.each_precision(p, truth, 2) == {0: 1.0}
    assert measure_tagger.mean_average_precision(p, truth, 1) == 1.0


def test_the_curve_counts_equal_scores_half():
    positive = np.array([True, True, False, False])
    assert measure_score.area_under_curve(np.array([2.0, 3.0, 1.0, 0.0]), positive) == 1.0
    assert measure_score.area_under_curve(np.array([1.0, 1.0, 1.0, 1.0]), positive) == 0.5


def test_confusions_stand_in_the_row_of_the_truth():
    table = measure_drawing.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    assert table.tolist() == [[1, 1], [0, 1]]


def test_a_folder_within_another_decides_the_side():
    folders = ["animals/birds", "people/smilies", "people", "signs_and_symbols/flags", "unsorted"]
    rows = pl.DataFrame({"folder": folders})
    assert measure_score.sides(rows).tolist() == [1, 0, 1, 0, -1]


@pytest.mark.parametrize(
    ("caption", "right"),
    [("red apples", True), ("the old house", False), (None, False), ("fruit of a tree", True)],
)
def test_a_caption_is_right_where_it_shares_a_word(caption, right):
    assert measure_captions.shares_word(caption, "apple", "apple 1", ["fruits"]) is right


def test_a_card_keeps_what_stands_around_its_figures(tmp_path):
    card = tmp_path / "card.md"
    card.write_text("# a\n<!-- figures -->\nold\n<!-- end -->\n## b\n")
    write_card(card, "new")
    assert card.read_text() == "# a\n<!-- figures -->\nnew\n<!-- end -->\n## b\n"
    card.write_text("# a\n")
    with pytest.raises(ValueError, match="are missing"):
        write_card(card, "new")


@pytest.mark.parametrize("name", TABLES)
def test_every_card_tells_the_figures_that_were_measured(name):
    figures = json.loads((WEIGHTS / "figures.json").read_text())
    assert TABLES[name](figures[name]) in (WEIGHTS / f"{name}.md").read_text()
