"""Drawn trees of objects, whose names are hard to list."""

from hypothesis import strategies as st

from dataproc_assets.storage.objects import ObjectStore

NAMES = st.sampled_from(["a", "a-x", "a.b", "a0", "B", "é", "~{^}", "p%20 q", "100_p0.webp"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def _as_files(paths: set[str]) -> list[str]:
    """Those of the paths that can lie in one folder: no file is a folder of another."""
    folders = {path.rsplit("/", n)[0] for path in paths for n in range(1, path.count("/") + 1)}
    return sorted(paths - folders)


TREES = st.sets(PATHS, max_size=25).map(_as_files)


def fill(store: ObjectStore, paths: list[str], prefix: str = "crawl") -> None:
    """Write an object of another size at each path below the prefix, and one beside it."""
    for number, path in enumerate(paths):
        store.put(f"{prefix}/{path}", b"x" * number)
    store.put(f"{prefix}-other/1", b"")
