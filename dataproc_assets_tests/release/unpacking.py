"""Unpacking the small release, and other tars in it than were published."""

import hashlib
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

from dataproc_assets.release.manifest import FileEntry
from dataproc_assets.release.unpack import Unpacked, unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.making import manifest_of, tree


def write(store: ObjectStore, folder: Path, **changes) -> Unpacked:
    return unpack(plan_unpack(store, "small", **changes), folder)


def files(folder: Path) -> dict[str, bytes]:
    """What of a folder does not name the folder."""
    kept = {path: data for path, data in tree(folder).items() if path.startswith("images/")}
    return kept | {
        "metadata.json": (folder / "metadata.json")
        .read_bytes()
        .replace(str(folder.resolve()).encode(), b"")
    }


def first_tar(store: ObjectStore, kind: str = "releases") -> tuple[str, str]:
    """A tar's path in the manifest, and below the storage root."""
    manifest = manifest_of(store, kind=kind)
    path = next(path for path in manifest.files if path.endswith(".tar"))
    return path, f"{manifest.root}/{path}"


def publish_tar(store: ObjectStore, add) -> None:
    """Put another first tar into the release, of which the manifest has the digest."""
    path, full = first_tar(store)
    local = Path(store.url) / "made.tar"
    shutil.copy(store.uri(full), local)
    with tarfile.open(local, "a") as archive:
        add(archive)
    store.put_file(full, local)
    manifest = manifest_of(store)
    data = local.read_bytes()
    entry = FileEntry(hashlib.sha256(data).hexdigest(), len(data), manifest.files[path].rows)
    changed = replace(manifest, files=manifest.files | {path: entry})
    store.put("releases/small/manifest.json", changed.to_json())
