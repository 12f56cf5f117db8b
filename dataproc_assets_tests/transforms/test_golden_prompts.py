"""Five images, written by hand, and what each recipe makes of them."""

from datetime import date, datetime

import pytest

from dataproc_assets.config.project import CONF
from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.models.tokenizer import count_tokens
from dataproc_assets.transforms.prompts import prompts
from dataproc_assets_tests.transforms.frames import changed, conf, images, tag_list

AS_OF = date(2026, 11, 1)
IMAGES = {
    # all that can be said of an image, from the most certain tag to the least
    "full": {
        "tags": tag_list(
            "1girl",
            "hatsune_miku::character",
            "vocaloid::copyright",
            "bonocho::artist",
            "long_hair",
            "smile",
            "^_^",
            "absurdres::meta",
            "photoshop_(medium)::meta",
            "commentary_request::meta",
        ),
        "rating": "general",
        "tier": "masterpiece",
        "tier_percentile": 96.0,
        "created": datetime(2021, 5, 1),
        "year": 2021,
        "period": "newest",
        "caption": "A girl with long hair. She smiles.",
    },
    # two people, questionable, ranked in the middle, two series
    "pair": {
        "tags": tag_list(
            "2girls",
            "saber_(fate)::character",
            "tohsaka_rin::character",
            "fate/stay_night::copyright",
            "sword",
            "armor",
            "bad_pixiv_id::meta",
        ),
        "rating": "questionable",
        "tier": "good",
        "tier_percentile": 62.0,
        "created": datetime(2013, 8, 9),
        "year": 2013,
        "period": "early",
    },
    # a landscape too young to be ranked
    "young": {
        "tags": tag_list("no_humans", "scenery", "cloud", "tagme::meta"),
        "rating": "general",
        "created": datetime(2026, 10, 20),
        "year": 2026,
        "period": "newest",
    },
    # a newer post: some models cut it more softly
    "newer": {
        "tags": tag_list("1boy", "hat"),
        "rating": "sensitive",
        "tier": "best",
        "tier_percentile": 91.0,
        "created": datetime(2026, 5, 1),
        "year": 2026,
        "period": "newest",
    },
    # nobody tagged it
    "bare": {"rating": "explicit"},
}

GOLDEN = {
    "animagine4": {
        "full": "1girl, hatsune miku, vocaloid, bonocho, safe, long hair, smile, ^_^, "
        "photoshop (medium), year 2021, masterpiece, high score",
        "pair": "2girls, saber (fate), tohsaka rin, fate/stay night, nsfw, sword, armor, "
        "year 2013, average score",
        "young": "no humans, safe, scenery, cloud, year 2026",
        "newer": "1boy, sensitive, hat, year 2026, high score",
        "bare": "nsfw, explicit",
    },
    "illustrious": {
        "full": "1girl ||| hatsune miku ||| general ||| vocaloid, long hair, smile, ^_^, "
        "photoshop (medium) ||| bonocho ||| masterpiece ||| 2021",
        "pair": "2girls ||| saber (fate), tohsaka rin ||| questionable ||| fate/stay night, "
        "sword, armor ||| good quality ||| 2013",
        "young": "no humans ||| general ||| scenery, cloud ||| 2026",
        "newer": "1boy ||| sensitive ||| hat ||| best quality ||| 2026",
        "bare": "explicit",
    },
    "noobai": {
        "full": "1girl, hatsune miku, vocaloid, bonocho, masterpiece, newest, general, "
        "photoshop (medium), long hair, smile, ^_^",
        "pair": "2girls, saber (fate), tohsaka rin, fate/stay night, good quality, early, nsfw, "
        "sword, armor",
        "young": "no humans, newest, general, scenery, cloud",
        "newer": "1boy, best quality, newest, sensitive, hat",
        "bare": "nsfw, explicit",
    },
    "kohaku": {
        "full": "1girl, hatsune miku, vocaloid, bonocho ||| long hair, smile, ^_^, "
        "photoshop (medium), newest, safe, masterpiece",
        "pair": "2girls, saber (fate), tohsaka rin, fate/stay night ||| sword, armor, early, "
        "nsfw, good quality",
        "young": "no humans ||| scenery, cloud, newest, safe",
        "newer": "1boy ||| hat, newest, sensitive, masterpiece",
        "bare": "||| nsfw, explicit",
    },
    "sd_scripts": {
        "full": "1girl, hatsune miku, vocaloid, bonocho ||| long hair, smile, ^_^, "
        "photoshop (medium) ||| safe, year 2021, masterpiece",
        "pair": "2girls, saber (fate), tohsaka rin, fate/stay night ||| sword, armor ||| nsfw, "
        "year 2013, good quality",
        "young": "no humans ||| scenery, cloud ||| safe, year 2026",
        "newer": "1boy ||| hat ||| sensitive, year 2026, best quality",
        "bare": "||| ||| nsfw, explicit",
    },
    "caption": {
        "full": "A girl with long hair. She smiles.",
        "pair": "",
        "young": "",
        "newer": "",
        "bare": "",
    },
}


def test_every_recipe_has_its_golden_prompts():
    assert {path.stem for path in (CONF / "recipes").glob("*.yaml")} == set(GOLDEN)


TABLE = images(*[{"image_id": name, **item} for name, item in IMAGES.items()]).collect()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    recipe = changed(conf(f"recipes/{name}", RecipeConfig), dropout=[], variants=1)
    made = prompts(TABLE, recipe, count_tokens, AS_OF)
    assert dict(made.select("image_id", "prompt").iter_rows()) == GOLDEN[name]


def test_golden_dropout():
    recipe = changed(
        conf("recipes/illustrious", RecipeConfig),
        dropout=[{"share": 0.5, "keep_max": 3}, {"share": 0.25, "keep_share": 0.5, "keep_min": 4}],
    )
    made = prompts(TABLE, recipe, count_tokens, AS_OF).filter(image_id="full")
    assert made["prompt"].to_list() == [
        "1girl ||| general ||| smile, ^_^, photoshop (medium) ||| masterpiece ||| 2021",
        GOLDEN["illustrious"]["full"],
        GOLDEN["illustrious"]["full"],
        "1girl ||| general ||| smile, ^_^ ||| bonocho ||| masterpiece ||| 2021",
    ]


@pytest.mark.parametrize(
    ("budget", "prompt", "cut"),
    [
        (
            30,
            "2girls, saber (fate), tohsaka rin, fate/stay night, nsfw, sword, year 2013, "
            "average score",
            ["armor"],
        ),
        (
            24,
            "2girls, saber (fate), tohsaka rin, fate/stay night, nsfw, average score",
            ["year 2013", "sword", "armor"],
        ),
    ],
)
def test_golden_budget(budget, prompt, cut):
    recipe = changed(conf("recipes/animagine4", RecipeConfig), token_budget=budget)
    row = prompts(TABLE, recipe, count_tokens, AS_OF).filter(image_id="pair").row(0, named=True)
    assert row["prompt"] == prompt
    assert [unit["tag"] for unit in row["cut"]] == cut
