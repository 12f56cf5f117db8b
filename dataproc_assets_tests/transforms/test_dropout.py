from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.prompts import prompts
from dataproc_assets_tests.transforms.frames import changed, conf, images, tag_list

TAGS = [f"tag_{n}" for n in range(20)]
ILLUSTRIOUS = changed(conf("recipes/illustrious", RecipeConfig), token_budget=None)
RECIPE = changed(ILLUSTRIOUS, variants=1, protected=["tag_3"])


def made(recipe, ids, tags=TAGS):
    item = {"tags": tag_list("1girl", *tags), "rating": "explicit", "year": 2020}
    frame = images(*[{**item, "image_id": i} for i in ids]).collect()
    return prompts(frame, recipe, lambda texts: [1] * len(texts), date(2026, 11, 1))


def lengths(out):
    """How many tags each prompt has, with the count tag."""
    return [
        sum(len(g["tags"]) for g in groups if g["group"] in ("count", "general"))
        for groups in out["groups"].to_list()
    ]


def rule(**values):
    return changed(RECIPE, dropout=[{"share": 1.0, **values}])


@pytest.mark.parametrize(
    ("values", "n", "kept"),
    [
        ({"keep_share": 0.3, "keep_min": 2}, 20, 7),  # 0.3 x 21 = 6.3
        ({"keep_share": 0.3, "keep_min": 2}, 19, 6),  # 0.3 x 20 = 6, and no more
        ({"keep_share": 0.3, "keep_min": 10}, 20, 10),
        ({"keep_share": 0.3, "keep_min": 10}, 5, 6),
        ({"keep_max": 6}, 20, 6),
        ({"keep_max": 6}, 3, 4),
        ({"keep_max": 0}, 20, 2),  # the protected ones: 1girl and tag_3
    ],
)
def test_how_many_tags_a_rule_keeps(values, n, kept):
    assert lengths(made(rule(**values), ["a", "b", "c"], TAGS[:n])) == [kept] * 3


def test_protected_tags_and_what_is_no_tag_stay():
    for row in made(rule(keep_max=3), [f"{n}" for n in range(50)]).iter_rows(named=True):
        groups = {group["group"]: group["tags"] for group in row["groups"]}
        assert groups["count"] == ["1girl"] and "tag 3" in groups["general"]
        assert groups["rating"] == ["explicit"] and groups["year"] == ["2020"]


def test_rules_are_drawn_in_their_shares_and_tags_evenly():
    recipe = changed(ILLUSTRIOUS, variants=1)
    out = made(recipe, [f"{n}" for n in range(4_000)], TAGS + [f"more_{n}" for n in range(19)])
    found = pl.Series(lengths(out))
    shares = {int(n): (found == n).mean() for n in found.unique()}
    # of 40 tags: max(12, 10), max(16, 15), 6, 4, and all
    assert shares == pytest.approx({12: 0.3, 16: 0.2, 6: 0.1, 4: 0.04, 40: 0.36}, abs=0.025)
    hit = out.filter(found == 12)
    kept = hit["groups"].list.explode().struct.field("tags").list.explode().value_counts()
    each = kept.filter(pl.col("tags").str.starts_with("tag "))["count"] / len(hit)
    assert each.min() > 0.2 and each.max() < 0.36  # 11 of 39


def test_variants_differ_and_the_kept_tags_keep_their_order():
    out = made(changed(rule(keep_max=8), variants=4), ["a"])
    assert out["prompt"].n_unique() == 4
    for groups in out["groups"].to_list():
        (general,) = [g["tags"] for g in groups if g["group"] == "general"]
        assert general == sorted(general, key=lambda text: int(text.split()[1]))


@settings(max_examples=20, deadline=None)
@given(st.permutations([f"{n}" for n in range(12)]), st.integers(1, 11))
def test_draws_depend_on_nothing_but_the_image(order, split):
    recipe = ILLUSTRIOUS
    whole = made(recipe, [f"{n}" for n in range(12)])
    parts = pl.concat([made(recipe, order[:split]), made(recipe, order[split:])])
    assert parts.sort("image_id", "variant").equals(whole.sort("image_id", "variant"))
