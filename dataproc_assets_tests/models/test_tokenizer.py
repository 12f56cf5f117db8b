import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.models.tokenizer import TokenCounts, count_tokens

TEXTS = [
    "",
    "1girl, solo, blue hair, looking at viewer, cherry blossoms, ^_^",
    "masterpiece ||| best quality, very awa, newest",
    "初音ミク、かわいい！ロリータ・ファッション",
    "it's a DOG's life, don’t “quote” l'été",
    "a" * 300,
    "&lt;b&gt; &amp;amp; ｆｕｌｌｗｉｄｔｈ ½ ² Ⅷ",
    "tabs\tand\n lines   and\u3000wide blanks",
    "😀 (:3) >_< 12345 x2",
]


@pytest.fixture(scope="module")
def reference():
    from open_clip import SimpleTokenizer

    return SimpleTokenizer()


def test_counts_are_those_of_open_clip(reference):
    assert count_tokens(TEXTS) == [len(reference.encode(text)) for text in TEXTS]


@given(st.lists(st.text(alphabet="abz ABS'’,._-()|019あ漢ｱé\u0301☆\t&;<", max_size=60), max_size=5))
def test_counts_of_any_text_are_those_of_open_clip(reference, texts):
    assert count_tokens(texts) == [len(reference.encode(text)) for text in texts]


def test_known_counts():
    assert count_tokens(["a cat", "1girl, solo"]) == [2, 4]


def test_counting_loads_no_torch():
    code = (
        "import sys; from dataproc_assets.models.tokenizer import count_tokens;"
        "assert count_tokens(['a cat']) == [2]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_texts_are_counted_once_and_forgotten_when_there_are_many():
    counts = TokenCounts(most=2)
    assert counts(["smile,", "1girl,", "smile,"]) == count_tokens(["smile,", "1girl,", "smile,"])
    assert counts(["hat", "smile,"]) == count_tokens(["hat", "smile,"])
    assert counts(["cat"]) == count_tokens(["cat"]) and counts([]) == []
