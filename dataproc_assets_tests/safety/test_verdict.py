import polars as pl
import pytest

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.verdict import verdict
from dataproc_assets_tests.transforms.frames import conf

SAFETY = conf("safety", SafetyConfig)


def judged(flags=(), prompt="1girl, smile", caption=None, tags=("1girl", "smile"), **image):
    groups = [{"group": "general", "tags": list(tags)}]
    prompts = pl.LazyFrame(
        {
            "image_id": ["i"],
            "variant": [0],
            "prompt": [prompt],
            "caption": [caption],
            "groups": [groups],
        },
        schema_overrides={"variant": pl.Int32, "caption": pl.String},
    )
    images = pl.LazyFrame(
        [
            {
                "image_id": "i",
                "representative": "pixiv/1_p0",
                "rating": "general",
                "opt_out": False,
                "ai": "unknown",
                **image,
            }
        ]
    )
    keys = [] if flags is None else ["pixiv/1_p0"]
    of_keys = pl.LazyFrame(
        {"image_key": keys, "flags": [] if flags is None else [list(flags)]},
        schema={"image_key": pl.String, "flags": pl.List(pl.String)},
    )
    out = verdict(prompts, images, of_keys, SAFETY).collect()
    assert out.columns[:5] == prompts.collect_schema().names()
    row = out.row(0, named=True)
    assert row["keep"] == (row["drop_reason"] is None) == (not row["drop_reasons"])
    assert row["drop_reason"] == (row["drop_reasons"] or [None])[0]
    return row["drop_reasons"]


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        ({}, []),
        ({"flags": ["poor_content"]}, []),
        ({"flags": ["ai", "opt_out"]}, ["opt_out", "ai"]),
        ({"flags": None}, ["unchecked"]),
        ({"opt_out": True}, ["opt_out"]),
        ({"ai": "yes"}, ["ai"]),
        ({"caption": "a loli"}, ["never_tag"]),
        ({"tags": ["Lo li"]}, ["never_tag"]),
        ({"tags": ["lolita fashion"], "caption": "lolita fashion"}, []),
        ({"tags": ["child"], "rating": "explicit"}, ["child_tag_in_adult"]),
        ({"tags": ["child"], "rating": "general"}, []),
        ({"caption": "two children", "rating": "questionable"}, ["child_tag_in_adult"]),
        ({"prompt": "a forbiddenword"}, ["banned_word"]),
        ({"flags": ["never_tag"], "caption": "a loli"}, ["never_tag"]),
    ],
)
def test_reasons(case, reasons):
    assert judged(**case) == reasons


def test_every_prompt_of_an_image_stays_in_the_table():
    prompts = pl.LazyFrame(
        {
            "image_id": ["b", "a", "a"],
            "variant": [0, 0, 1],
            "prompt": ["", "forbiddenword", "fine"],
            "caption": [None, None, None],
            "groups": [[], [], [{"group": "general", "tags": ["fine"]}]],
        },
        schema_overrides={
            "caption": pl.String,
            "groups": pl.List(pl.Struct({"group": pl.String, "tags": pl.List(pl.String)})),
        },
    )
    images = pl.LazyFrame(
        {
            "image_id": ["a", "b"],
            "representative": ["x/1", "x/2"],
            "rating": ["general", None],
            "opt_out": [False, None],
            "ai": ["no", None],
        },
        schema_overrides={"opt_out": pl.Boolean},
    )
    flags = pl.LazyFrame(
        {"image_key": ["x/1", "x/2"], "flags": [[], []]},
        schema_overrides={"flags": pl.List(pl.String)},
    )
    out = verdict(prompts, images, flags, SAFETY).collect()
    assert out.select("image_id", "variant", "keep").rows() == [
        ("b", 0, True),
        ("a", 0, False),
        ("a", 1, True),
    ]
