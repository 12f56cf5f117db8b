import os
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.merge_images import (
    image_facts,
    known_of,
    merge_images,
    merge_part,
)
from dataproc_assets_tests.transforms.frames import TRUST, changed, cluster, conf, stacked

CURATION = conf("curation", CurationConfig)
D, G, P = "danbooru/1", "gelbooru/2", "pixiv/3_p0"


def merged(members, items, curation=CURATION, captions=None):
    rows = stacked(*items).collect()
    return merge_images(members.collect(), rows, curation, TRUST, captions)


def test_one_row_an_image_with_the_pixels_of_its_representative():
    items = [
        {"image_key": D, "pixels_width": 900, "pixels_sha256": "dd", "bucket_width": 320},
        {"image_key": P, "pixels_width": 100, "pixels_sha256": "pp"},
        {"image_key": G},
    ]
    members = pl.concat([cluster(D, P), cluster(G, image_id=None, roles=["dropped"], best=[False])])
    out = merged(members, items)
    row = out.row(0, named=True)
    assert len(out) == 1
    assert (row["representative"], row["sha256"], row["width"]) == (D, "dd", 900)
    assert (row["bucket_width"], row["height"]) == (320, 384)
    assert (row["members"], row["sources"]) == ([D, P], ["danbooru", "pixiv"])


def test_a_cluster_without_a_representative_has_no_row():
    members = cluster(D, P, image_id=None, roles=["dropped", "dropped"], best=[False, False])
    out = merged(members, [{"image_key": D}, {"image_key": P}])
    assert out.is_empty()
    assert out.schema["tags"].inner.fields[0].name == "tag"


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        (["general", "explicit"], "explicit"),
        (["questionable", "sensitive"], "questionable"),
        (["general", None], "general"),
        ([None, None], None),
    ],
)
def test_the_most_restrictive_rating_wins_even_of_a_dropped_member(ratings, expected):
    members = cluster(D, P, roles=["representative", "dropped"])
    items = [{"image_key": k, "rating": r} for k, r in zip((D, P), ratings, strict=True)]
    assert merged(members, items)["rating"].to_list() == [expected]


@pytest.mark.parametrize(
    ("ais", "expected"),
    [
        (["no", "yes"], "yes"),
        (["unknown", "no"], "no"),
        (["unknown", "unknown"], "unknown"),
        ([None, None], "unknown"),
    ],
)
def test_any_positive_ai_flag_wins_and_unknown_is_a_third_state(ais, expected):
    members = cluster(D, P, roles=["representative", "dropped"])
    items = [{"image_key": k, "ai": a} for k, a in zip((D, P), ais, strict=True)]
    assert merged(members, items)["ai"].to_list() == [expected]


def test_the_three_reach_every_image_of_a_component_and_no_other():
    members = pl.concat(
        [
            cluster(D, component="c", image_id="1"),
            cluster(P, component="c", image_id="2"),
            cluster(G, component="other", image_id="3"),
        ]
    )
    items = [{"image_key": D, "rating": "explicit", "opt_out": True}, {"image_key": P}]
    out = merged(members, [*items, {"image_key": G, "rating": "general"}])
    assert out["rating"].to_list() == ["explicit", "explicit", "general"]
    assert out["opt_out"].to_list() == [True, True, False]


def test_dropped_members_and_second_members_of_a_source_have_no_say():
    second = "danbooru/9"
    members = cluster(
        D,
        second,
        P,
        roles=["representative", "duplicate", "dropped"],
        best=[True, False, True],
    )
    items = [
        {"image_key": D, "tags_general": ["hat"]},
        {"image_key": second, "tags_general": ["cat"], "title": "second"},
        {"image_key": P, "tags_general": ["dog"], "title": "dropped"},
    ]
    row = merged(members, items).row(0, named=True)
    assert [tag["tag"] for tag in row["tags"]] == ["hat"]
    assert row["title"] is None and row["title__source"] is None
    assert row["members"] == sorted([D, second, P])


def test_the_captioner_is_a_source_of_the_caption():
    trust_all = changed(CURATION.merge, machine_trust={"captioner": 1.0})
    curation = changed(CURATION, merge=trust_all)
    captions = pl.DataFrame({"image_key": [D], "caption_text": ["a hat"]})
    row = merged(cluster(D), [{"image_key": D}], curation, captions).row(0, named=True)
    assert (row["caption"], row["caption__source"]) == ("a hat", "captioner")


SOURCES = ("danbooru", "gelbooru", "pixiv")
ITEMS = [
    {
        "image_key": f"{source}/{n}",
        "title": f"{source} {n}",
        "artist_names": [f"{source} artist"],
        "caption": "words",
        "tags_general": ["hat", f"tag {n % 3}", source],
        "tagger_tags": [{"tag": "hat", "category": "general", "p": 0.5}],
        "rating": ["general", "explicit", "sensitive"][n % 3],
    }
    for n in range(6)
    for source in SOURCES
]
CLUSTERS = [cluster(*[f"{s}/{n}" for s in SOURCES], image_id=f"{n:032x}") for n in range(6)]
EXPECTED = merged(pl.concat(CLUSTERS), ITEMS)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(ITEMS))), st.permutations(range(6)), st.integers(0, 6))
def test_neither_order_nor_partitioning_changes_anything(rows_order, clusters_order, cut):
    shuffled = [CLUSTERS[n].reverse() if n % 2 else CLUSTERS[n] for n in clusters_order]
    items = [ITEMS[n] for n in rows_order]
    assert merged(pl.concat(shuffled), items).equals(EXPECTED)
    parts = [merged(pl.concat(some), items) for some in (shuffled[:cut], shuffled[cut:]) if some]
    assert pl.concat(parts).sort("image_id").equals(EXPECTED)
    assert EXPECTED.height == 6


def test_a_part_needs_the_rows_of_its_own_members_alone():
    members = CLUSTERS[2].collect()
    own = [item for item in ITEMS if item["image_key"].endswith("/2")]
    rows = stacked(*own).collect()
    facts = image_facts(known_of(members, rows))
    part = merge_part(members, rows, facts, CURATION, TRUST)
    assert part.equals(EXPECTED.filter(pl.col("image_id") == f"{2:032x}"))


IN_A_PROCESS = """
import polars as pl
from dataproc_assets.storage.digest import frame_digest
from dataproc_assets_tests.transforms.test_merge_images import CLUSTERS, ITEMS, SOURCES, merged
from dataproc_assets_tests.transforms.frames import cluster

clusters = [cluster(*[f"{s}/{n}" for s in SOURCES], image_id=f"{n:032x}") for n in range(4000)]
items = [
    {**ITEMS[(3 * n + k) % len(ITEMS)], "image_key": f"{source}/{n}"}
    for n in range(4000)
    for k, source in enumerate(SOURCES)
]
print(pl.thread_pool_size(), frame_digest(merged(pl.concat(clusters), items)))
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing():
    said = {}
    for threads in ("1", "2", "4"):
        run = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env={**os.environ, "POLARS_MAX_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        count, digest = run.stdout.split()
        assert count == threads
        said[threads] = digest
    assert len(set(said.values())) == 1
