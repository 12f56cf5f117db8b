"""Whether published latents are whole: every key, every shape, every number."""

import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np

from dataproc_assets.release.manifest import Manifest, read_manifest, verify_latents
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.rows import read_tables
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import present_name

SHOWN = 3


def check_latents(store: ObjectStore, name: str, psnr_min: float = 0.0) -> list[str]:
    """What is wrong with the latents of a release; empty where nothing is.

    Every file is as published; the samples and the failed images together are the release's
    images, each once, where those that are revoked may lack; every latent has its bucket's shape
    and finite numbers, and its crop is of the bucket's size and within the picture. The mean PSNR
    of those that were decoded again is at least `psnr_min` dB.
    """
    problems = verify_latents(store, name)
    manifest = read_manifest(store, latents_path(present_name(store, name)))
    if problems or manifest is None:
        return problems
    seen: list[str] = []
    for path in manifest.files:
        if path.endswith(".tar"):
            for image_id, latent, meta in read_samples(store, f"{manifest.root}/{path}"):
                seen.append(image_id)
                problems += [f"{path}: {image_id}: {w}" for w in _wrong(latent, meta, manifest)]
    failed = manifest.counts["failed"]
    release = read_manifest(store, release_path(manifest.name))
    released = set(read_tables(store, release)["image_id"]) if release else set()
    usable = set(read_train(store, name)["image_id"])
    problems += _keys("are missing", usable - set(seen) - set(failed))
    problems += _keys("are not in the release", set(seen) - released)
    twice = {key for key, count in Counter(seen).items() if count > 1}
    problems += _keys("are there twice", twice)
    problems += _keys("failed", set(failed))
    quality = manifest.counts["psnr"]["mean"]
    if quality is not None and quality < psnr_min:
        problems.append(
            f"decoded again, latents show their pictures at {quality:.1f} dB, less than psnr_min "
            f"{psnr_min:g}; see the previews in the gallery, and whether conf/vaes names the VAE "
            "that is meant"
        )
    return problems


def read_samples(store: ObjectStore, path: str) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """The samples of a latent shard: image_id, latent, and what its JSON says."""
    with tarfile.open(fileobj=BytesIO(store.get(path))) as archive:
        latent = np.empty(0)
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            image_id, _, extension = member.name.partition(".")
            if extension == "latent.npy":
                latent = np.load(BytesIO(file.read()), allow_pickle=False)
            elif extension == "json":
                yield image_id, latent, json.loads(file.read())


def _wrong(latent: np.ndarray, meta: dict[str, Any], manifest: Manifest) -> list[str]:
    config, (width, height) = manifest.config, meta["bucket"]
    expected = (config["channels"], height // config["factor"], width // config["factor"])
    if latent.shape != expected:
        return [f"shape {latent.shape}, expected {expected}"]
    if latent.dtype != np.dtype(config["dtype"]):
        return [f"dtype {latent.dtype}, expected {config['dtype']}"]
    left, top, right, bottom = meta["crop_ltrb"]
    across, down = meta["resized_size"]
    if (right - left, bottom - top) != (width, height):
        return [f"crop {meta['crop_ltrb']} is not of the bucket's size {width}x{height}"]
    if min(left, top) < 0 or right > across or bottom > down:
        return [f"crop {meta['crop_ltrb']} is not within the resized {across}x{down}"]
    return [] if np.isfinite(latent).all() else ["is not finite"]


def _keys(what: str, keys: set[str]) -> list[str]:
    first = ", ".join(sorted(keys)[:SHOWN])
    return [f"{len(keys)} images {what} (first: {first})"] if keys else []
