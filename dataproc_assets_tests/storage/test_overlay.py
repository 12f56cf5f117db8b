import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.overlay import Overlay

PATHS = ["a/1", "a/2", "b/1"]
STEP = st.tuples(
    st.sampled_from(["put", "new", "delete"]), st.sampled_from(PATHS), st.binary(max_size=3)
)


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {path: store.get(path) for path in store.list()["path"]}


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
