"""A release to purge images from, the purge, and what is left of them anywhere."""

import tarfile
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.purge import Purged, purge
from dataproc_assets.release.revocations import Revoked
from dataproc_assets.release.tars import shard_name
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import Crawl, release_config
from dataproc_assets_tests.release.making import LATENTS
from dataproc_assets_tests.release.revoking import all_bytes, found_in
from dataproc_assets_tests.release.versioned import new_bucket
from dataproc_assets_tests.stores import copied

CONFIG = release_config(latents=LATENTS, splits={"train": 0.7, "validation": 0.3})
PUBLISHED = ("releases", "latents", "denoisers")
PLACES = (*PUBLISHED, "units/latents", "units/denoisers")


@pytest.fixture(params=["folder", "s3"])
def store(request, purgeable, tmp_path) -> ObjectStore:
    """A copy of `purgeable`, in a folder or in a bucket that keeps versions."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        copy = new_bucket(versioned=True)
    else:
        copy = ObjectStore(str(tmp_path / "store"))
    return copied(purgeable, copy)


def clear(store: ObjectStore, revoked: Revoked, name: str = "small") -> Purged | None:
    return purge(store, name, revoked, code_version="2", say=lambda _: None)


def traces(store: ObjectStore, crawl, rows: pl.DataFrame) -> list[str]:
    """Where anything of some released images is left: bytes, hash, id, key, latent."""
    addresses = dict(crawl.addresses.select("image_key", "uri").iter_rows())
    wanted = [Path(addresses[key]).read_bytes() for key in rows["representative"]]
    for name in ("sha256", "image_id", "representative", "title"):
        wanted += [value.encode() for value in rows[name]]
    known = all_bytes(store, PLACES)
    return [hit for path, data in known for hit in found_in(path, data, wanted)]


def samples(store: ObjectStore, manifest: Manifest) -> dict[str, dict[str, bytes]]:
    """The members of all tars of a folder by shard."""
    found = {}
    for path in manifest.files:
        if path.endswith(".tar"):
            with tarfile.open(fileobj=BytesIO(store.get(f"{manifest.root}/{path}"))) as archive:
                members = {m.name: archive.extractfile(m) for m in archive}
            found[path] = {name: file.read() for name, file in members.items() if file}
    return found


def first_shard(rows: pl.DataFrame, split: str = "train", number: int = 0) -> pl.DataFrame:
    return rows.filter(pl.col("shard") == shard_name(f"webdataset/{split}", number))


def without(crawl: Crawl, gone: pl.DataFrame) -> Crawl:
    """The crawl as it is once the first of some released images has left it."""
    left = crawl.images.filter(pl.col("image_id") != gone["image_id"][0])
    return Crawl(left, crawl.sanitized, crawl.addresses)
