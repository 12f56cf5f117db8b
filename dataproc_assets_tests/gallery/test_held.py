"""What is withheld after the gallery was drawn."""

import polars as pl
import pytest

from dataproc_assets.gallery import build_gallery
from dataproc_assets.gallery.held import Held
from dataproc_assets.gallery.search import load_index
from dataproc_assets.storage.ledger import append_ledger


@pytest.fixture
def index(store, world, config):
    columns = {
        "post_id": pl.col("image_key").str.split("/").list.last(),
        "artist_ids": pl.concat_list(pl.lit("7")),
        "artist_names": pl.concat_list(pl.format("Artist {}", "image_key")),
        "md5": pl.lit("AB" * 16),
    }
    marked = pl.col("image_key").is_in(["pixiv/plain1", "danbooru/twin"])
    augmented = world.tables.augmented.with_columns(
        pl.when(marked).then(value).alias(name) for name, value in columns.items()
    )
    object.__setattr__(world.tables, "augmented", augmented)
    build_gallery(store, world.tables, world.read, config, state="drawn")
    return load_index(store)


def never() -> pl.Series:
    raise AssertionError("the tables are as they were")


def hidden(index, held: Held) -> list[str]:
    """The keys that are hidden, sorted."""
    entries = held.entries(index).nonzero()[0].tolist()
    return index.pictures.filter(pl.col("entry").is_in(entries))["image_key"].to_list()


def test_nothing_more_is_withheld_as_long_as_nothing_changed(store, index):
    assert hidden(index, Held(store, lambda: "drawn", never, 0)) == []


def test_a_key_in_the_quarantine_hides_its_whole_image_at_once(store, index):
    held = Held(store, lambda: "drawn", never, 0)
    assert hidden(index, held) == []
    append_ledger(
        store, "quarantine", pl.DataFrame({"image_key": ["danbooru/twin"], "rule": ["never"]})
    )
    assert hidden(index, held) == ["danbooru/plain0", "danbooru/twin"]


TWINS = ["danbooru/plain0", "danbooru/twin"]


@pytest.mark.parametrize(
    ("kind", "value", "keys"),
    [
        ("key", "pixiv/plain1", ["pixiv/plain1"]),
        ("key", "pixiv/unknown", []),
        ("post", "danbooru/twin", TWINS),
        ("artist", "pixiv/7", ["pixiv/plain1"]),
        ("artist", "artist pixiv/plain1", []),  # a slash makes it a platform's user
        ("artist", "ARTIST_danbooru", []),
        ("hash", "ab" * 16, [*TWINS, "pixiv/plain1"]),
    ],
)
def test_a_takedown_hides_what_it_names_at_once(store, index, kind, value, keys):
    entry = {"kind": [kind], "value": [value], "date": ["2024-06-01"], "reason": ["asked"]}
    append_ledger(store, "takedown", pl.DataFrame(entry))
    assert hidden(index, Held(store, lambda: "drawn", never, 0)) == keys


def test_an_artist_is_found_however_the_name_is_spelt(store, world, config):
    names = pl.when(pl.col("image_key") == "pixiv/plain2").then(pl.concat_list(pl.lit("Ａda Love")))
    augmented = world.tables.augmented.with_columns(tags_artist=names)
    object.__setattr__(world.tables, "augmented", augmented)
    build_gallery(store, world.tables, world.read, config, state="drawn")
    entry = {"kind": ["artist"], "value": ["ada_love"], "date": ["2024-06-01"], "reason": [""]}
    append_ledger(store, "takedown", pl.DataFrame(entry))
    assert hidden(load_index(store), Held(store, lambda: "drawn", never, 0)) == ["pixiv/plain2"]


def test_a_takedown_by_url_hides_no_more_than_the_posts_that_are_entered_for_it(store, index):
    entry = {"kind": ["url"], "value": ["https://www.pixiv.net/artworks/5"]}
    told = pl.DataFrame({**entry, "date": ["2024-06-01"], "reason": ["asked"]})
    append_ledger(store, "takedown", told)
    assert hidden(index, Held(store, lambda: "drawn", never, 0)) == []


def test_a_takedown_of_a_kind_that_is_not_known_hides_everything(store, index):
    entry = {"kind": ["face"], "value": ["x"], "date": ["2024-06-01"], "reason": ["asked"]}
    append_ledger(store, "takedown", pl.DataFrame(entry))
    assert Held(store, lambda: "drawn", never, 0).entries(index).all()


def test_where_the_tables_changed_only_what_they_show_is_shown_and_they_are_read_once(store, index):
    asked = []

    def shown() -> pl.Series:
        asked.append(1)
        return index.pictures["image_key"].filter(index.pictures["image_key"] != "danbooru/twin")

    states = iter(["later", "later", "latest"])
    held = Held(store, lambda: next(states), shown, 0)
    for times in (1, 1, 2):
        assert hidden(index, held) == TWINS
        assert len(asked) == times


def test_the_pictures_of_one_page_ask_once(store, index):
    asked = []

    def state() -> str:
        asked.append(1)
        return "drawn"

    held = Held(store, state, never, 3600)
    assert not (held.entries(index) | held.entries(index)).any() and len(asked) == 1
    assert not held.entries(load_index(store)).any() and len(asked) == 2  # of a new index anew
