import polars as pl

from dataproc_assets.safety.matching import tag_in, tag_says
from dataproc_assets.safety.said import in_tags, in_texts

TAGS = pl.DataFrame(
    {
        "own": [["a"], ["b", None], [], None, ["B"]],
        "machine": [[], [{"tag": "c", "p": 0.1}], None, [], [{"tag": "as", "p": 0.1}]],
    },
    schema={
        "own": pl.List(pl.String),
        "machine": pl.List(pl.Struct({"tag": pl.String, "p": pl.Float64})),
    },
)


def test_tags_of_all_columns_are_tried_in_the_rows_order():
    found = in_tags(TAGS, ["own", "machine"], {"x": (["a"], tag_says), "y": (["b", "c"], tag_in)})
    assert found.to_dict(as_series=False) == {
        "x": [True, False, False, False, True],
        "y": [False, True, False, False, True],
    }


def test_texts_of_all_columns_are_tried_in_the_rows_order():
    texts = pl.DataFrame({"a": ["ab", "x", None, "ａｂ", ""], "b": ["", "AB!", None, None, "ab c"]})
    found = in_texts(texts, ["a", "b"], {"x": ["ab"], "y": ["ab c"]})
    assert found.to_dict(as_series=False) == {
        "x": [True, True, False, True, True],
        "y": [False, False, False, False, True],
    }


def test_hashtags_are_read_in_the_words_that_their_capitals_tell():
    texts = ["see #CuteAbArt and #xAb", "#CUTEABART", "CuteAbArt", None, "＃ÉcoleAb!", "a#b Ab_c"]
    frame = pl.DataFrame(
        {"a": texts, "b": [None] * 5 + ["#AbC"]}, schema_overrides={"b": pl.String}
    )
    found = in_texts(frame, ["a", "b"], {"x": ["ab"], "y": ["cute ab"]})
    assert found.to_dict(as_series=False) == {
        "x": [True, False, False, False, True, True],
        "y": [True, False, False, False, False, False],
    }
    assert in_texts(frame, ["b"], {"x": ["ab c"]})["x"].to_list() == [False] * 5 + [True]


def test_no_column_and_no_row_say_nothing():
    lists = {"x": (["a"], tag_in)}
    assert in_tags(TAGS, [], lists)["x"].to_list() == [False] * 5
    assert in_texts(TAGS, [], {"x": ["a"]})["x"].to_list() == [False] * 5
    assert in_tags(TAGS.clear(), ["own"], lists).schema == {"x": pl.Boolean}
    assert in_texts(pl.DataFrame(schema={"t": pl.String}), ["t"], {"x": ["a"]}).height == 0
