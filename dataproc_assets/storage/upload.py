"""Copying crawled files from a folder into a bucket."""

from pathlib import Path

from dataproc_assets.storage.objects import ObjectStore


def upload_folder(store: ObjectStore, folder: Path) -> tuple[int, int]:
    """Copy the files of a folder that the store lacks; returns how many were copied and known.

    A file is known where the object of its path has the same bytes. Links are not followed.
    """
    copied = known = 0
    sizes = dict(store.list().select("path", "size").iter_rows())
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        same = sizes.get(name) == path.stat().st_size and store.get(name) == path.read_bytes()
        if same:
            known += 1
        else:
            store.put_file(name, path)
            copied += 1
    return copied, known
