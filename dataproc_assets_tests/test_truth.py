from pathlib import Path

import polars as pl

from dataproc_assets.truth import compare_duplicates

TRUTH = """
classes:
  cross_posts:
    groups:
      - name: sky
        members: [{key: a/1}, {key: b/1}, {key: c/1}]
  variants:
    groups:
      - keys: [a/1, a/2]
      - keys: [a/3, a/4]
"""


def _figures(folder: Path, components: dict[str, str]) -> dict[str, int]:
    path = folder / "truth.yaml"
    path.write_text(TRUTH, encoding="utf-8")
    members = pl.DataFrame({"image_key": [*components], "component": [*components.values()]})
    return compare_duplicates(members, path)


def test_pairs_are_counted_not_groups(tmp_path: Path):
    apart = {"a/2": "a/2", "a/3": "a/3", "a/4": "a/4"}
    assert _figures(tmp_path, {"a/1": "a/1", "b/1": "a/1", "c/1": "c/1", **apart}) == {
        "posted twice, found": 1,
        "posted twice, missed": 2,
        "variants, kept apart": 2,
        "variants, joined wrongly": 0,
    }


def test_a_variant_in_the_same_component_is_joined_wrongly(tmp_path: Path):
    joined = {"a/1": "a/1", "b/1": "a/1", "c/1": "a/1", "a/2": "a/1", "a/3": "a/3", "a/4": "a/4"}
    assert _figures(tmp_path, joined) == {
        "posted twice, found": 3,
        "posted twice, missed": 0,
        "variants, kept apart": 1,
        "variants, joined wrongly": 1,
    }


def test_a_key_that_is_not_known_is_missed(tmp_path: Path):
    assert _figures(tmp_path, {"a/1": "a/1"})["posted twice, missed"] == 3
