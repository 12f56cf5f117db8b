import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.facts import row_facts
from dataproc_assets.safety.flags import component_flags, quarantined, with_opt_out
from dataproc_assets_tests.transforms.frames import changed, conf, rows

SAFETY = conf("safety", SafetyConfig)
D, G, P = "danbooru/1", "gelbooru/2", "pixiv/3_p0"


def flags(*items, config=SAFETY, components=None, **extra):
    """Flags by key; without `components` all rows are one component."""
    names = components or {item["image_key"]: "c" for item in items}
    component = pl.col("image_key").replace_strict(names, default=None, return_dtype=pl.String)
    facts = row_facts(rows(*items, **extra), config).with_columns(component=component)
    return dict(component_flags(facts.lazy()).collect().select("image_key", "flags").rows())


def of(config=SAFETY, **values):
    return flags({"image_key": P, **values}, config=config)[P]


@pytest.mark.parametrize(
    "values",
    [
        {"tags_general": ["smile", "Loli"]},
        {"tags_meta": ["shotacon"]},
        {"tags_artist": ["loli"]},
        {"tags_general": ["ロリ"]},
        {"tagger_tags": [{"tag": "loli", "category": "general", "p": 0.01}]},
        {"title": "a loli"},
        {"caption": "ショタ"},
    ],
)
def test_a_never_tag_counts_wherever_it_stands(values):
    assert of(**values) == ["never_tag"]


def test_clothing_passes():
    assert of(tags_general=["lolita_fashion"], title="lolita fashion", rating="explicit") == []


@pytest.mark.parametrize(
    ("rating", "expected"),
    [
        ("explicit", ["child_tag_in_adult"]),
        ("questionable", ["child_tag_in_adult"]),
        ("sensitive", []),
        ("general", []),
        (None, []),
    ],
)
def test_child_tags_count_with_an_adult_rating(rating, expected):
    assert of(tags_general=["female_child"], rating=rating) == expected


def test_the_rating_of_one_source_meets_the_child_tag_of_another():
    found = flags(
        {"image_key": D, "rating": "general", "tags_general": ["child"]},
        {"image_key": P, "rating": "explicit", "intake_drop": "too_few_likes"},
    )
    assert found == {D: ["child_tag_in_adult"], P: ["child_tag_in_adult"]}


def test_a_twin_dropped_at_intake_flags_the_kept_one_but_no_other_component():
    found = flags(
        {"image_key": D},
        {"image_key": P, "tags_general": ["loli"], "intake_drop": "banned_tag"},
        {"image_key": G},
        components={D: "c", P: "c", G: "g"},
    )
    assert found == {D: ["never_tag"], P: ["never_tag"], G: []}


def test_a_row_without_component_stands_alone():
    found = flags({"image_key": D}, {"image_key": P, "tags_general": ["loli"]}, components={D: D})
    assert found == {D: [], P: ["never_tag"]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"ai": "yes"}, ["ai"]),
        ({"ai": "unknown"}, []),
        ({"tags_general": ["AI生成"]}, ["ai"]),
        ({"tags_meta": ["ai-generated"]}, ["ai"]),
        ({"tags_meta": ["ai_assisted"]}, ["ai"]),
        ({"artist_names": ["OptOut Artist"]}, ["opt_out"]),
        ({"tags_artist": ["optout_artist"]}, ["opt_out"]),
        ({"tags_meta": ["paid_reward"]}, ["opt_out"]),
        ({"tags_general": ["banned_artist"]}, ["banned_artist"]),
        ({"status": "banned"}, ["banned_status"]),
        ({"status": "deleted"}, ["inactive"]),
        ({"status": None}, []),
        ({"tags_meta": ["third-party_edit"]}, ["banned_content"]),
        ({"tags_meta": ["watermark"]}, ["poor_content"]),
        ({"title": "a ForbiddenWord here"}, ["banned_word"]),
        ({"title": "forbiddenwording"}, []),
        ({"tags_general": ["forbiddenword"]}, ["banned_word"]),
    ],
)
def test_each_other_flag(values, expected):
    assert of(**values) == expected


def test_flags_stand_in_a_fixed_order_with_the_never_rules_first():
    found = of(tags_general=["watermark", "cosplay_photo", "loli"], ai="yes", status="banned")
    assert found == ["never_tag", "banned_status", "ai", "banned_content", "poor_content"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("deleted", "active"), []),
        (("hidden", "pending", "active"), []),
        (("deleted", "pending"), ["inactive"]),
        (("flagged", None), ["inactive"]),
        ((None, None), []),
        (("banned", "active"), ["banned_status"]),
    ],
)
def test_one_platform_that_shows_the_picture_is_enough_unless_another_banned_it(statuses, expected):
    items = [{"image_key": f"pixiv/{n}", "status": one} for n, one in enumerate(statuses)]
    found = flags(*items)
    assert found == dict.fromkeys(found, expected) and len(found) == len(statuses)


def test_an_artist_id_counts_on_its_platform_only():
    opt_out = changed(SAFETY.opt_out, artist_ids=["pixiv/7386235"])
    config = changed(SAFETY, opt_out=opt_out)
    assert of(config, artist_ids=["7386235"]) == ["opt_out"]
    assert of(config, artist_ids=["73862350"]) == []
    found = flags({"image_key": D, "artist_ids": ["7386235"]}, config=config)
    assert found == {D: []}


@pytest.mark.parametrize(
    ("score", "expected"), [(0.9, ["ai"]), (0.8999, []), (None, []), (float("nan"), [])]
)
def test_a_classifier_counts_from_its_threshold_on(score, expected):
    config = changed(
        SAFETY, ai=changed(SAFETY.ai, scores=[{"column": "softmax_ai", "at_least": 0.9}])
    )
    item = {"image_key": P, "softmax_ai": score}
    assert flags(item, config=config, softmax_ai=pl.Float64)[P] == expected


def test_a_score_without_a_column_is_named():
    config = changed(SAFETY, ai=changed(SAFETY.ai, scores=[{"column": "nope", "at_least": 0.9}]))
    with pytest.raises(ValueError, match="nope"):
        of(config)


def test_configuration_can_only_add_to_the_never_rules():
    empty = changed(
        SAFETY,
        banned_words=[],
        banned_statuses=[],
        banned_artist_tags=[],
        content={},
        opt_out={},
        ai={"tags": []},
    )
    assert of(empty, tags_general=["loli"]) == ["never_tag"]
    assert of(empty, tags_general=["aged_down"], rating="explicit") == ["child_tag_in_adult"]
    more = changed(SAFETY, never_tags=["gore"], child_tags=["kid"])
    assert of(more, tags_general=["gore"]) == of(more, tags_general=["loli"]) == ["never_tag"]
    assert of(more, tags_general=["kid"], rating="explicit") == ["child_tag_in_adult"]


def test_only_the_never_rules_quarantine():
    frame = pl.LazyFrame(
        {
            "image_key": ["c", "b", "a", "d"],
            "flags": [["ai", "opt_out"], ["never_tag"], ["child_tag_in_adult", "ai"], []],
        },
        schema_overrides={"flags": pl.List(pl.String)},
    )
    assert quarantined(frame).collect()["image_key"].to_list() == ["a", "b"]


def test_opt_out_of_a_row():
    frame = rows(
        {"image_key": P, "artist_names": ["optout_artist"]},
        {"image_key": D, "tags_meta": ["paid_reward"]},
        {"image_key": G},
    )
    assert with_opt_out(frame.lazy(), SAFETY).collect()["opt_out"].to_list() == [True, True, False]


TAGS = ("loli", "child", "smile", "AI生成", "watermark", "banned_artist")


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TAGS), st.sampled_from(("general", "explicit")), st.integers(0, 2)
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(),
)
def test_the_order_of_rows_changes_nothing(facts, random):
    items = [
        {"image_key": f"pixiv/{n}_p0", "tags_general": [tag], "rating": rating}
        for n, (tag, rating, _) in enumerate(facts)
    ]
    components = {f"pixiv/{n}_p0": f"c{c}" for n, (_, _, c) in enumerate(facts)}
    expected = flags(*items, components=components)
    random.shuffle(items)
    assert flags(*items, components=components) == expected
