import polars as pl
import pytest

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.verdict import verdict
from dataproc_assets_tests.transforms.frames import conf, tag_list

SAFETY = conf("safety", SafetyConfig)
TAG = pl.List(pl.Struct({"tag": pl.String, "category": pl.String}))
GROUPS = pl.List(pl.Struct({"group": pl.String, "tags": pl.List(pl.String)}))
PROMPTS = {
    "image_id": pl.String,
    "variant": pl.Int32,
    "prompt": pl.String,
    "caption": pl.String,
    "groups": GROUPS,
    "tokens": pl.Int32,
}
IMAGES = {
    "image_id": pl.String,
    "representative": pl.String,
    "rating": pl.String,
    "opt_out": pl.Boolean,
    "ai": pl.String,
    "title": pl.String,
    "caption": pl.String,
    "tags": TAG,
    "quarantined": pl.Boolean,
}
KEY = "pixiv/1_p0"


def image(image_id="i", key=KEY, said=(), **values):
    tags = [{"tag": tag["tag"], "category": tag["category"]} for tag in tag_list(*said)]
    blank = {"rating": "general", "opt_out": False, "ai": "unknown", "quarantined": False}
    return {"image_id": image_id, "representative": key, **blank, "tags": tags, **values}


def prompt(text="1girl, smile", caption=None, tags=("1girl", "smile"), image_id="i", variant=0):
    groups = [{"group": "general", "tags": list(tags)}]
    return {
        "image_id": image_id,
        "variant": variant,
        "prompt": text,
        "caption": caption,
        "groups": groups,
        "tokens": 5,
    }


def judged(prompts, images, flags, config=SAFETY):
    found = verdict(
        pl.DataFrame(prompts, schema=PROMPTS),
        pl.DataFrame(images, schema=IMAGES),
        pl.DataFrame(
            {"image_key": list(flags), "flags": list(flags.values())},
            schema={"image_key": pl.String, "flags": pl.List(pl.String)},
        ),
        config,
    )
    assert found.columns == [*PROMPTS, "keep", "drop_reason", "drop_reasons"]
    assert {n: found.schema[n] for n in PROMPTS} == PROMPTS
    for row in found.to_dicts():
        assert row["keep"] == (row["drop_reason"] is None) == (not row["drop_reasons"])
        assert row["drop_reason"] == (row["drop_reasons"] or [None])[0]
    return found


def reasons(flags=(), said=(), title=None, image_caption=None, rating="general", **text):
    image_values = {"title": title, "caption": image_caption, "rating": rating}
    for name in ("opt_out", "ai", "quarantined"):
        if name in text:
            image_values[name] = text.pop(name)
    known = {} if flags is None else {KEY: list(flags)}
    (found,) = judged([prompt(**text)], [image(said=said, **image_values)], known).to_dicts()
    return found["drop_reasons"]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, []),
        ({"flags": ["poor_content"]}, []),
        ({"flags": ["ai", "opt_out"]}, ["opt_out", "ai"]),
        ({"flags": ["inactive"]}, ["inactive"]),
        ({"flags": None}, ["unchecked"]),
        ({"opt_out": True}, ["opt_out"]),
        ({"opt_out": None, "ai": None}, []),
        ({"ai": "yes"}, ["ai"]),
        ({"quarantined": True}, ["never_tag"]),
        ({"quarantined": True, "flags": ["child_tag_in_adult"]}, ["child_tag_in_adult"]),
        ({"quarantined": None}, []),
        # the prompt's own words
        ({"caption": "a loli"}, ["never_tag"]),
        ({"tags": ["Lo li"]}, ["never_tag"]),
        ({"text": "1girl ||| loli masterpiece"}, ["never_tag"]),
        ({"text": "ＬＯＬＩ"}, ["never_tag"]),
        ({"tags": ["lolita fashion"], "caption": "lolita fashion", "text": "lolita fashion"}, []),
        ({"text": "a forbiddenword"}, ["banned_word"]),
        ({"flags": ["never_tag"], "caption": "a loli"}, ["never_tag"]),
        # a child counts beside an adult rating
        ({"tags": ["child"], "rating": "explicit"}, ["child_tag_in_adult"]),
        ({"tags": ["child"], "rating": "general"}, []),
        ({"caption": "two children", "rating": "questionable"}, ["child_tag_in_adult"]),
        ({"text": "child, 1girl", "rating": "explicit"}, ["child_tag_in_adult"]),
        ({"text": "a child of masterpiece", "rating": "explicit"}, ["child_tag_in_adult"]),
        # a tag of the image that holds the word is another tag; so is its text in a prompt
        (
            {"said": ["child_of_light"], "text": "1girl, child of light", "rating": "explicit"},
            [],
        ),
        (
            {"said": ["child_(fate)"], "text": r"1girl, child \(fate\)", "rating": "explicit"},
            [],
        ),
        # what was merged into the image, by a table of aliases it may be, and no recipe shows
        ({"said": ["oppai_loli"]}, ["never_tag"]),
        ({"said": ["child"], "rating": "explicit"}, ["child_tag_in_adult"]),
        ({"title": "ロリ"}, ["never_tag"]),
        ({"image_caption": "forbiddenword"}, ["banned_word"]),
    ],
)
def test_reasons(case, expected):
    assert reasons(**case) == expected


def test_every_prompt_stays_in_its_place_with_its_own_verdict():
    prompts = [
        prompt("", image_id="b"),
        prompt("forbiddenword", image_id="a"),
        prompt("fine", image_id="a", variant=1),
        prompt("fine", image_id="gone"),
    ]
    images = [image("a", "x/1"), image("b", "x/2", rating=None, opt_out=None, ai=None)]
    found = judged(prompts, images, {"x/1": [], "x/2": []})
    assert found.select("image_id", "variant", "drop_reason").rows() == [
        ("b", 0, None),
        ("a", 0, "banned_word"),
        ("a", 1, None),
        ("gone", 0, "unchecked"),
    ]


@pytest.mark.parametrize("flag", ["never_tag", "child_tag_in_adult"])
def test_of_what_a_never_rule_drops_the_ids_and_reasons_are_left(flag):
    (row,) = judged([prompt("words", caption="words")], [image()], {KEY: [flag, "ai"]}).to_dicts()
    assert row == {
        "image_id": "i",
        "variant": 0,
        "prompt": None,
        "caption": None,
        "groups": [],
        "tokens": None,
        "keep": False,
        "drop_reason": flag,
        "drop_reasons": [flag, "ai"],
    }


def test_of_what_is_dropped_otherwise_the_text_stays_to_be_looked_at():
    (row,) = judged([prompt("words")], [image()], {KEY: ["ai", "opt_out"]}).to_dicts()
    assert row["prompt"] == "words" and row["groups"] and row["drop_reasons"] == ["opt_out", "ai"]


def test_groups_may_have_more_fields_and_images_no_mark_of_the_quarantine():
    more = {"group": "general", "tags": ["loli"], "confidence": [0.5]}
    prompts = pl.DataFrame([{**prompt(), "groups": [more]}])
    images = pl.DataFrame([image()], schema=IMAGES).drop("quarantined")
    flags = pl.DataFrame(
        {"image_key": [KEY], "flags": [[]]},
        schema={"image_key": pl.String, "flags": pl.List(pl.String)},
    )
    prompts = prompts.with_columns(pl.col("caption").cast(pl.String))
    assert verdict(prompts, images, flags, SAFETY)["drop_reason"].to_list() == ["never_tag"]


def test_no_prompt_at_all():
    assert judged([], [], {}).is_empty()
