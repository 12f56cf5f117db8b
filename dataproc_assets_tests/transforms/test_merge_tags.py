from collections import defaultdict
from math import prod

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms import merge_lists
from dataproc_assets.transforms.merge_lists import CATEGORIES
from dataproc_assets.transforms.merge_tags import TAG, merge_tags
from dataproc_assets_tests.transforms.frames import TRUST, changed, conf, stacked

MERGE = changed(
    conf("curation", CurationConfig).merge,
    tag_p={"default": 0.5, "danbooru": 1.0},
    tag_confidence_min=0.25,
    machine_trust={"tagger": 0.5},
    aliases={"オリジナル": "original"},
    implications={"cat_ears": ["animal_ears"]},
)


def said_of(rows, images, seen_of=None):
    """Rows with the numbers of the images that their tags are said of."""
    numbers = pl.Series(images, dtype=pl.UInt32)
    return rows.with_columns(
        tags_of=numbers,
        tagged_of=pl.Series(seen_of, dtype=pl.UInt32) if seen_of is not None else numbers,
    )


def machine(*tags):
    return [{"tag": tag, "category": category, "p": p} for tag, category, p in tags]


def both(*items, tagger=(), merge=MERGE):
    """The tags of one image, those that are kept and those that are not, by name."""
    seen = {"image_key": "danbooru/0", "tagger_tags": machine(*tagger)}
    rows = stacked(*items, seen).collect()
    count = len(items)
    out = merge_tags(said_of(rows, [0] * count + [None], [None] * count + [0]), 1, merge, TRUST)
    assert out.schema == {"tags": pl.List(TAG), "tags__losing": pl.List(TAG)}
    return tuple({tag["tag"]: tag for tag in out[name].item()} for name in out.columns)


def merged(*items, **more):
    return both(*items, **more)[0]


def sources(tag):
    return [one["source"] for one in tag["sources"]]


def test_confidence_is_one_minus_the_product_of_doubts():
    tags = merged(
        {"image_key": "danbooru/1", "tags_general": ["smile", "hat"]},
        {"image_key": "gelbooru/2", "tags_general": ["smile"]},
        tagger=[("smile", "general", 0.8), ("cat", "general", 0.6)],
    )
    assert tags["smile"] == {
        "tag": "smile",
        "category": "general",
        "confidence": 0.961,  # 1 - (1 - 0.9) x (1 - 0.35) x (1 - 0.4)
        "sources": [
            {"source": "danbooru", "weight": 0.9, "said": None},
            {"source": "gelbooru", "weight": 0.35, "said": None},
            {"source": "tagger", "weight": 0.4, "said": None},
        ],
    }
    assert tags["hat"]["confidence"] == 0.9
    assert tags["cat"]["confidence"] == 0.3
    assert list(tags) == ["smile", "hat", "cat"]


def test_a_tag_at_the_threshold_stays_and_one_below_loses():
    item = {"image_key": "pixiv/1_p0", "tags_general": ["smile"]}  # 0.5 x 0.5
    kept, losing = both(item)
    assert (list(kept), list(losing)) == (["smile"], [])
    kept, losing = both(item, merge=changed(MERGE, tag_confidence_min=0.250001))
    assert (list(kept), losing["smile"]["confidence"]) == ([], 0.25)


def test_ties_are_in_order_of_the_tag():
    tags = merged({"image_key": "danbooru/1", "tags_general": ["b", "c", "a"]})
    assert list(tags) == ["a", "b", "c"]


def test_spelling_and_aliases_join_what_sources_write_differently():
    tags = merged(
        {"image_key": "danbooru/1", "tags_copyright": ["original"], "tags_general": ["Red Hat"]},
        {"image_key": "pixiv/2_p0", "tags_general": ["オリジナル", "red_hat"]},
    )
    said = {
        tag: [(one["source"], one["said"]) for one in tags[tag]["sources"]]
        for tag in ("original", "red_hat")
    }
    assert said == {
        "original": [("danbooru", None), ("pixiv", "オリジナル")],
        "red_hat": [("danbooru", "Red Hat"), ("pixiv", None)],
    }


def test_an_implied_tag_is_said_by_who_says_the_other():
    tags = merged(
        {"image_key": "danbooru/1", "tags_character": ["cat_ears"]},
        {"image_key": "gelbooru/2", "tags_general": ["animal_ears", "Cat Ears"]},
    )
    assert tags["animal_ears"] == {
        "tag": "animal_ears",
        "category": "character",
        "confidence": 0.935,
        "sources": [
            {"source": "danbooru", "weight": 0.9, "said": "cat_ears"},
            {"source": "gelbooru", "weight": 0.35, "said": None},
        ],
    }


def test_the_tagger_says_an_implied_tag_as_surely_as_the_surer_of_both():
    tagger = [("cat_ears", "general", 0.9), ("animal_ears", "general", 0.7)]
    tag = merged(tagger=tagger)["animal_ears"]
    assert tag["sources"] == [{"source": "tagger", "weight": 0.45, "said": "cat_ears"}]


def test_a_category_outranks_general_which_sites_without_categories_use():
    tags = merged(
        {"image_key": "danbooru/1", "tags_general": ["miku"]},
        {"image_key": "gelbooru/1", "tags_character": ["miku"]},
    )
    assert tags["miku"]["category"] == "character"
    conflict = merged(
        {"image_key": "danbooru/1", "tags_copyright": ["saber"]},
        {"image_key": "gelbooru/1", "tags_character": ["saber"]},
    )
    assert conflict["saber"]["category"] == "copyright"  # danbooru is trusted more
    equal = changed(MERGE, tag_p={"default": 0.0, "danbooru": 0.7, "gelbooru": 0.9})
    tied = merged(
        {"image_key": "gelbooru/1", "tags_character": ["saber"]},
        {"image_key": "danbooru/1", "tags_copyright": ["saber"]},
        merge=equal,
    )
    assert tied["saber"]["category"] == "copyright"  # both 0.63: the first by name


def test_one_source_counts_once_however_often_it_says_a_tag():
    tags = merged({"image_key": "danbooru/1", "tags_general": ["hat", "Hat"], "tags_meta": ["hat"]})
    assert tags["hat"]["confidence"] == 0.9
    assert tags["hat"]["category"] == "meta"
    assert tags["hat"]["sources"] == [{"source": "danbooru", "weight": 0.9, "said": None}]


def test_what_is_blank_or_not_believed_is_no_claim():
    unheard = changed(MERGE, tag_p={"default": 0.5, "pixiv": 0.0}, tag_confidence_min=0.0)
    kept, losing = both(
        {"image_key": "pixiv/1_p0", "tags_general": ["hat"]},
        {"image_key": "gelbooru/1", "tags_general": [" ", "", None]},
        tagger=[("smile", "general", 0.0), ("cat", "general", None), (None, "general", 0.9)],
        merge=unheard,
    )
    assert (kept, losing) == ({}, {})


def test_no_images_and_images_without_tags():
    rows = stacked({"image_key": "danbooru/1"}).collect()
    assert merge_tags(said_of(rows, [None]), 0, MERGE, TRUST).height == 0
    assert merge_tags(said_of(rows, [1]), 3, MERGE, TRUST)["tags"].to_list() == [[], [], []]


def oracle(claims, merge, trust):
    """What `merge_tags` says of one image, by the rules as they are written down."""
    names = defaultdict(lambda: defaultdict(list))
    for source, said, category, weight in claims:
        tag = (said or "").strip().lower().replace(" ", "_")
        tag = merge.alias_of.get(tag, tag)
        if tag and weight > 0:
            names[tag][source].append((-weight, said != tag, False, said, category))
            for implied in merge.implied_by.get(tag, ()):
                names[implied][source].append((-weight, said != implied, True, said, category))
    found = []
    for tag, by_source in names.items():
        says, kinds = [], []
        for source in sorted(by_source):
            weight, other, _, said, _ = min(by_source[source])
            says.append({"source": source, "weight": -weight, "said": said if other else None})
            kind = min((one[-1] == "general", one[-1]) for one in by_source[source])
            kinds.append((kind[0], weight, source, kind[1]))
        doubt = prod(1 - one["weight"] for one in says)
        confidence = float(np.rint((1 - doubt) * 1e6) / 1e6)
        found.append(
            {"tag": tag, "category": min(kinds)[3], "confidence": confidence, "sources": says}
        )
    found.sort(key=lambda one: (-one["confidence"], one["tag"]))
    kept = [one for one in found if one["confidence"] >= merge.tag_confidence_min]
    return kept, [one for one in found if one not in kept]


SPELT = [
    "a",
    "A",
    " a",
    "b",
    "B c",
    "b_c",
    "エー",
    "long_name_of_a_tag",
    "Long Name of a Tag",
    "d",
    "",
]
WEIGHTS = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
TAGS = st.lists(st.sampled_from(SPELT), max_size=5)
ROW = st.fixed_dictionaries({f"tags_{category}": TAGS for category in CATEGORIES})
SEEN = st.lists(st.tuples(st.sampled_from(SPELT), st.sampled_from(CATEGORIES), WEIGHTS), max_size=4)
IMAGE = st.tuples(st.dictionaries(st.sampled_from(sorted(TRUST)), ROW), SEEN)
TABLES = st.sampled_from(
    [
        ({}, {}),
        ({"エー": "a", "b": "a"}, {}),
        ({"エー": "b", "b": "b_c"}, {"b_c": ["d"], "a": ["b_c", "long_name_of_a_tag"]}),
    ]
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(IMAGE, max_size=4),
    TABLES,
    st.fixed_dictionaries(dict.fromkeys(TRUST, WEIGHTS)),
    WEIGHTS,
    st.sampled_from([0.0, 0.25, 0.300001, 0.9]),
    st.randoms(use_true_random=False),
)
def test_any_tags_are_merged_as_the_rules_say(images, tables, p, tagger, lowest, random):
    merge = changed(
        MERGE,
        aliases=tables[0],
        implications=tables[1],
        tag_p={"default": 0.5, **p},
        machine_trust={"tagger": tagger},
        tag_confidence_min=lowest,
    )
    rows, expected = [], []
    for number, (by_source, seen) in enumerate(images):
        claims = [
            (source, tag, category, TRUST[source].tags * p[source])
            for source, row in by_source.items()
            for category in CATEGORIES
            for tag in row[f"tags_{category}"]
        ]
        claims += [("tagger", tag, category, tagger * weight) for tag, category, weight in seen]
        expected.append(oracle(claims, merge, TRUST))
        rows += [
            ({"image_key": f"{source}/{number}", **row}, number, None)
            for source, row in by_source.items()
        ]
        rows.append(({"image_key": "pixiv/x", "tagger_tags": machine(*seen)}, None, number))
    random.shuffle(rows)
    items = [item for item, _, _ in rows] or [{"image_key": "pixiv/x"}]
    said = [number for _, number, _ in rows] or [None]
    seen_of = [number for _, _, number in rows] or [None]
    out = merge_tags(said_of(stacked(*items).collect(), said, seen_of), len(images), merge, TRUST)
    assert out["tags"].to_list() == [kept for kept, _ in expected]
    assert out["tags__losing"].to_list() == [losing for _, losing in expected]


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_how_many_images_are_merged_at_once_changes_nothing(monkeypatch, at_once):
    items = [
        {
            "image_key": f"{source}/{n}",
            "tags_general": [f"t{n % 5}", f"t{n % 3}", "Cat Ears"],
            "tagger_tags": machine((f"t{n % 7}", "general", n / 50)),
        }
        for n in range(40)
        for source in ("danbooru", "pixiv")
    ]
    rows = said_of(stacked(*items).collect(), [n for n in range(40) for _ in range(2)])
    rows = rows.with_columns(tagged_of=pl.when(pl.col("source") == "pixiv").then("tags_of"))
    expected = merge_tags(rows, 40, MERGE, TRUST)
    monkeypatch.setattr(merge_lists, "CLAIMS_AT_ONCE", at_once)
    monkeypatch.setattr(merge_lists, "IMAGES_AT_ONCE", 3 * at_once)
    assert merge_tags(rows, 40, MERGE, TRUST).equals(expected)
    assert expected["tags"].list.len().min() > 1
