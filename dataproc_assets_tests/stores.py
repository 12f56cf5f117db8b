"""All that a store holds, and copies of it for a test to change."""

from dataproc_assets.storage.objects import ObjectStore


def contents(store: ObjectStore, prefix: str = "") -> dict[str, bytes]:
    """Every object below a folder of a store, by its path."""
    return {path: store.get(path) for path in store.list(prefix)["path"]}


def copied(made: ObjectStore, copy: ObjectStore, prefix: str = "") -> ObjectStore:
    """The same objects in another store, which is returned."""
    for path, data in contents(made, prefix).items():
        copy.put(path, data)
    return copy
