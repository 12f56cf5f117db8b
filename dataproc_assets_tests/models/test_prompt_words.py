import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.models.prompt_words import prompt_tags, prompt_words


@pytest.mark.parametrize(
    ("prompt", "tags"),
    [
        ("1girl, saber (fate) ||| sword,armor", {"1girl", "saber (fate)", "sword", "armor"}),
        ("  Sword , sword,, ", {"sword"}),
        ("", set()),
        (" ||| , ", set()),
        (":|, a|b", {":|", "a|b"}),  # a tag may hold a bar
    ],
)
def test_tags_stand_between_commas_and_bars(prompt, tags):
    assert prompt_tags(prompt) == tags


@given(st.lists(st.sampled_from(["a", "b", "c d", "e_f"]), min_size=1, unique=True), st.randoms())
def test_the_order_of_tags_and_what_parts_them_count_for_nothing(tags, random):
    other = list(tags)
    random.shuffle(other)
    one, two = prompt_words([", ".join(tags), " ||| ".join(other)], 512)
    assert np.array_equal(one, two)
    assert one.sum() == pytest.approx(len(tags) ** 0.5)


def test_a_prompt_without_tags_is_all_zero():
    assert not prompt_words(["", " , "], 16).any()
