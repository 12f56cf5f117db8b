from dataclasses import replace
from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataproc_assets.defs.image_parts import write_images
from dataproc_assets.safety.flags import with_opt_out
from dataproc_assets.safety.quarantine import by_id_only
from dataproc_assets.storage import spill
from dataproc_assets.storage.lake import Lake
from dataproc_assets.transforms.merge_images import merge_images
from dataproc_assets.transforms.namespace import add_namespace
from dataproc_assets_tests.storage.lakes import project_in
from dataproc_assets_tests.transforms.frames import stacked

CLUSTERS = 120
SOURCES = ("danbooru", "pixiv", "twitter")
HELD = pl.DataFrame({"image_key": ["danbooru/7", "nobody/1"]})


def clusters() -> pl.DataFrame:
    """Images of one to three sources; every tenth shares its component with the next, and every
    seventh has a member that was dropped, in its component alone."""
    rows = []
    for n in range(CLUSTERS):
        component, image_id = f"component/{n - n % 10 % 2}", f"{Random(n).getrandbits(128):032x}"
        for place, source in enumerate(SOURCES[: 1 + n % 3]):
            dropped = place == 2 and n % 7 == 0
            role = "dropped" if dropped else "duplicate" if place else "representative"
            image = None if dropped else image_id
            rows.append((f"{source}/{n}", source, component, image, role, not dropped))
    names = ("image_key", "source", "component", "image_id", "role", "best_in_source")
    return pl.DataFrame(
        rows, schema=dict(zip(names, [pl.String] * 5 + [pl.Boolean], strict=True)), orient="row"
    )


def row(key: str) -> dict:
    source, number = key.split("/")
    n, tags = int(number), [f"tag {int(number) % 5}", "Cat Ears", source]
    seen = [{"tag": "hat", "category": "general", "p": (n % 10) / 10}]
    said = {"title": f"{source} {n}", "caption": "words", "tags_artist": [f"artist_{n % 4}"]}
    ratings = [None, "general", "sensitive", "explicit"]
    rating = ratings[(n + len(source)) % 4]
    return {"image_key": key, "tags_general": tags, "tagger_tags": seen, "rating": rating, **said}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Augmented tables, members and captions."""
    folder = tmp_path_factory.mktemp("images")
    lake = Lake(project_in(str(folder / "store"), folder / "crawl"))
    members = clusters()
    for source in lake.project.sources:
        keys = members.filter(pl.col("source") == source)["image_key"].to_list()
        rows = stacked(*[row(key) for key in keys]).drop("source", "opt_out")
        names = [name for name in rows.collect_schema() if name != "image_key"]
        lake.write("augmented", source, add_namespace(rows, source, names), inputs={})
    lake.write("dedup_cross", None, members, table="members", inputs={})
    standing = members.filter(pl.col("role") == "representative").gather_every(3)
    texts = standing.select("image_key", caption_text=pl.format("of {}", "image_key"))
    lake.write("caption", None, texts, inputs={})
    return lake


def with_storage(lake: Lake, **changes: int) -> Lake:
    """The same storage under another profile."""
    storage = lake.project.profile.storage.model_copy(update=changes)
    profile = lake.project.profile.model_copy(update={"storage": storage})
    return Lake(replace(lake.project, profile=profile))


@pytest.fixture(scope="module")
def at_once(lake: Lake) -> pl.DataFrame:
    """The images by the transforms over whole tables."""
    members, project = lake.read("members").collect(), lake.project
    rows = with_opt_out(stacked(*[row(key) for key in members["image_key"]]), project.safety)
    trust = {name: source.trust for name, source in project.sources.items()}
    captions = lake.read("caption").collect()
    merged = merge_images(members, rows.collect(), project.curation, trust, captions)
    return by_id_only(merged.lazy(), HELD.lazy()).collect()


def in_parts(lake: Lake, folder) -> tuple[int, pl.DataFrame]:
    """How many parts were written, and the table that they are."""
    shown = []
    write_images(lake, {}, HELD, folder, shown.append)
    images = lake.read("images").collect().sort("image_id")
    assert sum(part.height for part in shown) == images.height
    return len(shown), images


def test_the_tables_say_something_of_every_case(at_once):
    assert at_once.height == CLUSTERS
    assert at_once.filter("quarantined")["representative"].to_list() == ["danbooru/7"]
    assert at_once["sources"].list.len().unique().sort().to_list() == [0, 1, 2, 3]
    assert {"captioner", "danbooru"} <= set(at_once["caption__source"])
    assert at_once["rating__losing"].list.len().max() > 1


@pytest.mark.parametrize(
    ("buckets", "written", "memory_mb"),
    [(1, 1, 64), (1, 4, 64), (4, 4, 0), (4, 4, 64), (16, 4, 0), (4, 16, 64)],
)
def test_any_number_of_parts_gives_the_same(
    lake, at_once, tmp_path, monkeypatch, buckets, written, memory_mb
):
    """Whether or not the tables were written in as many buckets as the profile has now."""
    monkeypatch.setattr(spill, "PART_ROWS", 1)
    here = with_storage(lake, table_buckets=written)
    for source in here.project.sources:
        here.write("augmented", source, here.read("augmented", source).collect(), inputs={})
    members = here.read("members").collect()
    here.write("dedup_cross", None, members, table="members", inputs={})
    now = with_storage(lake, table_buckets=buckets, memory_mb=memory_mb)
    count, images = in_parts(now, tmp_path)
    assert count == buckets
    assert_frame_equal(images, at_once)


def test_images_that_fit_are_one_part_and_nothing_goes_to_disk(lake, at_once, tmp_path):
    count, images = in_parts(with_storage(lake, table_buckets=16), tmp_path)
    assert count == 1 and not list(tmp_path.iterdir())
    assert_frame_equal(images, at_once)


def test_the_bytes_are_the_same_however_they_came_about(lake, tmp_path, monkeypatch):
    now = with_storage(lake, table_buckets=4)
    in_parts(now, tmp_path)
    whole = now.info("images")
    monkeypatch.setattr(spill, "PART_ROWS", 1)
    in_parts(now, tmp_path)
    assert now.info("images") == whole
