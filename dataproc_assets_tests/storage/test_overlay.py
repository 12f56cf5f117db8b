from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.overlay import Overlay
from dataproc_assets_tests.release.versioned import new_bucket
from dataproc_assets_tests.stores import contents

PATHS = ["a/1", "a/2", "b/1"]
STEP = st.tuples(
    st.sampled_from(["put", "new", "delete"]), st.sampled_from(PATHS), st.binary(max_size=3)
)


def apply(store: ObjectStore, steps) -> list:
    told = []
    for verb, path, data in steps:
        if verb == "put":
            store.put(path, data)
        elif verb == "new":
            told.append(store.put_new(path, data))
        else:
            store.delete(path)
    return told


@given(before=st.lists(STEP, max_size=5), after=st.lists(STEP, max_size=6))
def test_an_overlay_is_a_store_that_leaves_the_one_below_alone(tmp_path_factory, before, after):
    folder = tmp_path_factory.mktemp("overlay")
    base, plain = ObjectStore(str(folder / "base")), ObjectStore(str(folder / "plain"))
    for store in (base, plain):
        apply(store, before)
    over, below = Overlay(base, ObjectStore(str(folder / "scratch"))), contents(base)
    assert apply(over, after) == apply(plain, after)
    assert contents(over) == contents(plain)
    assert contents(base) == below
    for path in PATHS:
        assert over.exists(path) == plain.exists(path)


def test_what_lies_where_is_told_by_the_uri(tmp_path):
    base, scratch = ObjectStore(str(tmp_path / "base")), ObjectStore(str(tmp_path / "scratch"))
    base.put("a", b"1234")
    base.put("b", b"old")
    over = Overlay(base, scratch)
    over.put("b", b"newer")
    assert over.uri("a") == base.uri("a") and over.uri("b") == scratch.uri("b")
    assert (over.size("a"), over.size("b")) == (4, 5)
    assert over.get_range("a", 1, 2) == b"23"
    size, pieces = over.stream("b")
    assert (size, b"".join(pieces)) == (5, b"newer")
    over.delete("a")
    for read in (over.get, over.size, over.stat, over.stream):
        with pytest.raises(FileNotFoundError):
            read("a")
    assert base.get("a") == b"1234"


def test_an_older_version_is_that_of_the_base(s3, tmp_path):
    base = new_bucket(versioned=True)
    version = base.put("a", b"old")
    base.put("a", b"now")
    over = Overlay(base, ObjectStore(str(tmp_path)))
    over.put("a", b"on top")
    assert over.get("a") == b"on top"
    assert over.get("a", version=version) == b"old"
    assert b"".join(over.stream("a", version=version)[1]) == b"old"


def test_what_is_abandoned_is_that_on_top(tmp_path):
    base, top = ObjectStore(str(tmp_path / "base")), ObjectStore(str(tmp_path / "top"))
    for store in (base, top):
        store.put("a/b", b"x")
        (tmp_path / Path(store.url).name / "a" / "c#1").write_bytes(b"half")
    Overlay(base, top).abandon("a")
    assert (tmp_path / "base/a/c#1").exists() and not (tmp_path / "top/a/c#1").exists()
    assert top.get("a/b") == b"x"
