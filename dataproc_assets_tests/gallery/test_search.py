"""The index as it is built, written and read again."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from dataproc_assets.gallery import build_gallery
from dataproc_assets.gallery.index import ENTRIES, PICTURES, TERMS, VECTORS, Embedded
from dataproc_assets.gallery.query import Term
from dataproc_assets.gallery.search import SCALE, Index, NotReadyError, load_index
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets_tests.gallery.conftest import files

FILES = (PICTURES, ENTRIES, TERMS, VECTORS)
GONE = ("danbooru/quarantined", "danbooru/quarantinedcopy", "pixiv/optedout", "twitter/takendown",
        "pixiv/flagged", "pixiv/unjudged", "pixiv/intake")  # fmt: skip


def embedded(world) -> Embedded:
    """Every key's picture at an angle of its own in the first quadrant of a plane."""
    keys = sorted(world.digests)
    angles = np.linspace(0, np.pi / 2, len(keys))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) * SCALE
    return Embedded("made", pl.Series(keys), np.rint(vectors).astype(np.int16))


@pytest.fixture
def index(store, world, config) -> Index:
    build_gallery(store, world.tables, world.read, config, embedded(world), "now")
    return load_index(store)


def keys_of(index: Index, entries) -> list[str]:
    """The keys that stand for some entries."""
    pictures = index.entries["picture"].gather(entries)
    return index.pictures["image_key"].gather(pictures).to_list()


def nothing(index: Index) -> np.ndarray:
    return np.zeros(len(index), bool)


def asked(index: Index, *terms: Term) -> list[str]:
    return keys_of(index, index.find(None, terms, None, nothing(index), 100).entries)


def test_an_image_is_one_entry_with_all_its_keys_and_what_was_dropped_is_found_too(index):
    (twins,) = index.named("danbooru/twin")
    assert index.named("danbooru/plain0").tolist() == [twins]
    assert index.entries["members"][int(twins)] == 2
    assert keys_of(index, [twins]) == ["danbooru/plain0"]
    (dropped,) = index.named("pixiv/dropped3")
    assert index.entries["image_id"][int(dropped)] is None
    assert index.pictures["entry"].n_unique() == len(index)


def test_an_entry_goes_by_key_id_and_hash_in_any_case(index, world):
    (entry,) = index.named("pixiv/plain1")
    for name in (f"{1:032d}", world.digests["pixiv/plain1"], world.digests["pixiv/plain1"].upper()):
        assert index.named(name).tolist() == [entry]
    assert index.named("pixiv/plain").size == index.named("zzz/9").size == 0
    assert index.of_keys(["pixiv/plain1", "zzz/9"]).tolist() == [entry]


def test_terms_must_hold_or_must_not(index):
    kept = asked(index, Term("is", "kept"))
    assert kept == ["danbooru/plain0", "pixiv/plain0", "pixiv/plain1", "pixiv/plain2"]
    assert asked(index, Term("is", "kept"), Term("rating", "explicit")) == ["pixiv/plain2"]
    # danbooru/plain0 says general, and pixiv's copy of the image says questionable
    assert asked(index, Term("rating", "questionable")) == ["danbooru/plain0"]
    refused = asked(index, Term("is", "kept"), Term("source", "pixiv", refused=True))
    assert refused == ["danbooru/plain0"]
    assert len(asked(index, Term("drop", "clip_score"))) == 9
    assert asked(index, Term("drop", "content")) == ["pixiv/plain2"]  # by one of two recipes
    assert asked(index, Term("recipe", "noob"), Term("tag", "1girl")) == kept
    assert asked(index, Term("tag", "no_such")) == []


def test_the_likest_come_first_and_equal_ones_in_the_order_of_their_keys(index, world):
    vector = np.array([0, 1], np.float32)  # the last key of all lies there
    found = index.find(None, (), vector, nothing(index), 5)
    order = [key for key in sorted(world.digests, reverse=True) if len(index.named(key))]
    assert keys_of(index, found.entries) == order[:5]
    assert found.total == len(index) and found.cosines is not None
    assert found.cosines[0] > 0.98 and (np.diff(found.cosines) <= 0).all()
    same = np.tile(np.int16([SCALE, 0]), (len(index), 1))
    equal = Index(index.pictures, index.entries, TERMLESS, same, index.manifest)
    found = equal.find(None, (), vector, nothing(index), 3)
    assert found.entries.tolist() == [0, 1, 2]


TERMLESS = pl.DataFrame(
    schema={"field": pl.String, "value": pl.String, "entries": pl.List(pl.UInt32)}
)


def test_what_was_never_embedded_is_not_ranked(store, world, config):
    few = embedded(world)
    few = replace(few, keys=few.keys[:3], vectors=few.vectors[:3])
    build_gallery(store, world.tables, world.read, config, few)
    index = load_index(store)
    found = index.find(None, (), np.array([1, 0], np.float32), nothing(index), 99)
    assert keys_of(index, found.entries) == [
        "danbooru/plain0",
        "danbooru/plain1",
        "danbooru/plain2",
    ]


def test_many_and_few_vectors_give_the_same_cosines(index):
    vector = np.array([0.6, 0.8], np.float32)
    every = index.find(None, (), vector, nothing(index), 99)
    few = index.named("pixiv/plain1")
    alone = index.find(few, (), vector, nothing(index), 99)
    assert alone.cosines[0] == every.cosines[every.entries.tolist().index(few[0])]


def test_hidden_entries_are_in_no_answer_and_in_no_count(index):
    hidden = index.mask(index.named("danbooru/twin"))
    for vector in (None, np.array([1, 0], np.float32)):
        found = index.find(None, (), vector, hidden, 999)
        assert "danbooru/plain0" not in keys_of(index, found.entries)
        assert found.total == len(index) - 1
    assert index.find(index.named("danbooru/twin"), (), None, hidden, 9).total == 0


def test_nothing_of_what_is_withheld_is_in_the_index(store, index, world):
    tables = [from_parquet(store.get(f"gallery/{path}")) for path in (PICTURES, ENTRIES, TERMS)]
    text = "\n".join(frame.write_json() for frame in tables)
    for key in GONE:
        assert key not in text and world.digests[key] not in text
    for word in ("Secret Person", "quarantined", "secret"):
        assert word not in text
    vectors = embedded(world)
    held = {vectors.vectors[vectors.keys.to_list().index(key)].tobytes() for key in GONE}
    assert not held & {row.tobytes() for row in index.vectors}


def test_the_same_tables_give_the_same_index(tmp_path, world, config):
    written = []
    for name in ("1", "2"):
        store = ObjectStore(str(tmp_path / name))
        tables = world.tables
        if name == "2":
            tables = replace(tables, augmented=tables.augmented.reverse(),
                             images=tables.images.reverse())  # fmt: skip
        build_gallery(store, tables, world.read, config, embedded(world))
        written.append({path: files(store)[path] for path in FILES})
    assert written[0] == written[1]


def test_on_s3_the_index_is_the_same(both, world, config):
    vector, answers = np.array([0.6, 0.8], np.float32), []
    for store in both:
        build_gallery(store, world.tables, world.read, config, embedded(world))
        index = load_index(store)
        found = index.find(None, (Term("source", "pixiv"),), vector, nothing(index), 9)
        answers.append((found.entries.tolist(), found.cosines.tolist()))
    assert answers[0] == answers[1]
    assert [files(store)[path] for store in both[:1] for path in FILES] == [
        files(store)[path] for store in both[1:] for path in FILES
    ]


def test_a_build_that_dies_after_a_quarantine_leaves_no_index(store, world, config, monkeypatch):
    build_gallery(store, world.tables, world.read, config, embedded(world))
    added = pl.DataFrame({"image_key": ["pixiv/plain1"], "rule": ["never_tags"]})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dataproc_assets.gallery.build.write_thumbs", die)
    with pytest.raises(KeyboardInterrupt):
        build_gallery(store, replace(world.tables, quarantined=added), world.read, config)
    assert not [path for path in files(store) if path.startswith("search/")]


def test_an_index_that_is_not_the_manifests_is_not_read(store, index):
    data = bytearray(store.get(f"gallery/{VECTORS}"))
    data[-1] ^= 1
    store.put(f"gallery/{VECTORS}", bytes(data))
    with pytest.raises(NotReadyError, match=r"entries\.vectors\.npy is not what the gallery's"):
        load_index(store)


def test_without_a_gallery_it_says_what_makes_one(store):
    with pytest.raises(NotReadyError, match="`dataproc run` draws the gallery"):
        load_index(store)


def test_an_index_of_nothing_answers(store, world, config):
    names = ("augmented", "flags", "images")
    empty = replace(world.tables, **{name: getattr(world.tables, name).clear() for name in names})
    build_gallery(store, replace(empty, sanitized={}), world.read, config)
    index = load_index(store)
    assert len(index) == 0 and index.named("pixiv/plain0").size == 0
    assert index.find(None, (Term("tag", "1girl"),), None, nothing(index), 9).total == 0
    assert index.sources == [] and index.frequent("tag", 5) == []
