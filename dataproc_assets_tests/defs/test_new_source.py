"""A source that the package does not know, from one YAML file and at most one small module."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from dataproc_assets_tests.defs.posts import picture
from dataproc_assets_tests.defs.results import checks
from dataproc_assets_tests.defs.world import World

FLAT = """
name: eshuushuu
adapter: columns
native_id: '{id}'
columns:
  post_id: id
  post_url: https://example.org/image/{id}
  artist_names: {from: artist, separator: ","}
  tags_general: tags
  tags_character: {from: characters, separator: ", "}
  rating: {from: rating, values: {0: general, 1: questionable, 2: explicit}}
  favourites: favorites
  created: submitted
  width: dims.w
  height: dims.h
  linked_source: source
  status: {from: state, values: {ok: active}, otherwise: deleted}
crawl:
  prefix: dataset-eshuushuu
  images: ["*"]
  extensions: [png]
  records: ["*.jsonl"]
key: '^shuu_(?P<id>[0-9]+)\\.png$'
settle_seconds: 60
removed_share_max: 0.1
rejects_share_max: 0.05
failed_share_max: 0.1
tags_categorised: true
prefilter:
  - {name: not_active, keep: one_of, column: status, values: [active], missing: keep}
trust: {image: 0.5, tags: 0.7, artist: 0.5, title: 0.1, caption: 0.1, created: 0.3, tier: 0.5}
"""
POSTS = [
    {
        "id": number,
        "artist": "Ada, Bo",
        "tags": "long_hair smile",
        "characters": "Hatsune Miku, Kagamine Rin",
        "rating": 1,
        "favorites": 40 + number,
        "submitted": 1742150809,
        "dims": {"w": 256, "h": 256},
        "source": "https://i.pximg.net/img-original/img/2022/11/20/00/00/49/100_p0.jpg",
        "state": state,
    }
    for number, state in ((1, "ok"), (2, "removed"))
]
MODULE = """
from typing import Any

import polars as pl

from dataproc_assets.sources.fields import Id, Raw, Small, Tags


class Drawing(Raw):
    nr: Id
    sheet: Small = None
    words: Tags


def to_common(raw: dict[str, Any]) -> dict[str, Any]:
    drawing = Drawing.model_validate(raw)
    return {"post_id": drawing.nr, "page": drawing.sheet, "tags_general": drawing.words}


def merge(joined: pl.LazyFrame) -> pl.LazyFrame:
    return joined.with_columns(rating=pl.lit("general"))
"""


def add_source(world: World, text: str, **changes: object) -> None:
    """One file of the configuration, and nothing else."""
    config = yaml.safe_load(text) | changes
    (world.conf / "sources" / f"{config['name']}.yaml").write_text(yaml.safe_dump(config))


def merged(world: World, source: str) -> list[dict]:
    """The rows of a source from intake to merged, scored by hand."""
    for asset in ("inventory", "records", "todo", "metrics_merged", "merged"):
        if asset == "metrics_merged":
            world.score(source)
        result = world.make(asset, partition=source)
        assert result.success and all(checks(result).values()), asset
    return world.lake.read("merged", source).collect().to_dicts()


def test_a_source_of_flat_records_is_one_yaml_file(tmp_path: Path):
    world = World.create(tmp_path)
    add_source(world, FLAT)
    for post in POSTS:
        world.put(f"dataset-eshuushuu/shuu_{post['id']}.png", picture(post["id"]))
    lines = "\n".join(json.dumps(post) for post in POSTS)
    world.put("dataset-eshuushuu/posts.jsonl", lines.encode())
    first, second = merged(world, "eshuushuu")
    known = {name.removeprefix("eshuushuu__"): value for name, value in first.items()}
    assert {name: known[name] for name in ("image_key", "post_url", "artist_names", "rating")} == {
        "image_key": "eshuushuu/1",
        "post_url": "https://example.org/image/1",
        "artist_names": ["Ada", "Bo"],
        "rating": "questionable",
    }
    assert known["tags_character"] == ["Hatsune Miku", "Kagamine Rin"]
    assert (known["linked_pixiv_id"], known["linked_pixiv_page"]) == ("100", 0)
    assert (known["favourites"], known["width"], known["ai"]) == (41, 256, "unknown")
    assert [row["intake_drops"] for row in (first, second)] == [[], ["not_active"]]
    assert first["has_image"] and first["has_record"]


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module outside of the package, which Python finds."""
    package = tmp_path / "code" / "our_crawlers"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    module = package / "drawings.py"
    module.write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "code")
    yield module
    for name in ("our_crawlers", "our_crawlers.drawings"):
        sys.modules.pop(name, None)


def test_a_source_may_bring_a_module_from_outside_of_the_package(tmp_path: Path, own_module: Path):
    world = World.create(tmp_path / "world")
    key = r"^(?P<id>[0-9]+)-(?P<page>[0-9]+)\.png$"
    changes = {"adapter": "our_crawlers.drawings", "native_id": "{id}_p{page}", "key": key}
    add_source(world, FLAT, columns=None, **changes)
    for page in (0, 1):
        world.put(f"dataset-eshuushuu/7-{page}.png", picture(page))
    record = json.dumps({"nr": 7, "sheet": 0, "words": "smile solo"}).encode()
    world.put("dataset-eshuushuu/a.jsonl", record)
    rows = merged(world, "eshuushuu")
    assert [row["image_key"] for row in rows] == ["eshuushuu/7_p0", "eshuushuu/7_p1"]
    assert rows[1]["eshuushuu__tags_general"] == ["smile", "solo"]  # its post's record
    assert rows[0]["eshuushuu__rating"] == "general"  # its own merger
    assert world.lake.fresh("records", "eshuushuu")
    own_module.write_text(MODULE + "\n# changed\n")
    assert not world.lake.fresh("records", "eshuushuu")


def test_the_example_of_the_readme_is_a_source(tmp_path: Path):
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (text,) = re.findall(r"```yaml\n(name: .*?)```", readme, re.DOTALL)
    world = World.create(tmp_path)
    add_source(world, text)
    world.put("dataset-konachan/konachan_5.png", picture(5))
    record = {"id": 5, "tags": "solo", "author": {"name": "Ada"}, "rating": "s", "score": 2}
    world.put("dataset-konachan/a.jsonl", json.dumps(record | {"created_at": 1742150809}).encode())
    for asset in ("inventory", "records", "todo"):
        assert world.make(asset, partition="konachan").success
    (row,) = world.lake.read("records", "konachan").collect().to_dicts()
    assert (row["image_key"], row["rating"], row["artist_names"]) == (
        *("konachan/5", "general"),
        ["Ada"],
    )
    (drops,) = world.lake.read("todo", "konachan").collect()["intake_drops"].to_list()
    assert drops == ["few_votes"]
