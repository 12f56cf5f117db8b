"""Taking images out of what releases are made of: the parts of latents and of denoisers."""

import json
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from dataproc_assets.release.encoded import KEY
from dataproc_assets.release.revocations import Revoked
from dataproc_assets.storage.digest import bytes_digest, frame_digest
from dataproc_assets.storage.layout import (
    denoiser_parts_path,
    done_path,
    drawn_path,
    latent_part_path,
    latent_parts_path,
    losses_path,
    trained_path,
)
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.scored import part_figures
from dataproc_assets.storage.versions import delete_versions

LATENTS, LOSSES = ".latents.parquet", ".losses.parquet"


@dataclass(frozen=True)
class Artefact:
    """A file and its SHA-256 (hex) before and after; None where it was not, or is not, there."""

    path: str
    before: str | None
    after: str | None


def scrub_latent_parts(store: ObjectStore, revoked: Revoked) -> list[Artefact]:
    """Take revoked images out of the parts of latents, of whatever VAE.

    What is left of a part becomes a part of its own, named by its images as any other is, and is
    done before the old one goes: an image that is not revoked is encoded at every moment.
    """
    found = []
    for path in store.list(latent_parts_path("").rstrip("/"))["path"]:
        if path.endswith(LATENTS):
            keys = pl.read_parquet(store.uri(path), columns=["sha256"], glob=False)
            if revoked.among(keys).height:
                found += _scrub(store, path, revoked)
    return found


def _scrub(store: ObjectStore, path: str, revoked: Revoked) -> list[Artefact]:
    data, mark = store.get(path), done_path(path)
    found = [Artefact(path, bytes_digest(data), None)]
    try:
        about = store.get(mark)
    except FileNotFoundError:  # of a run that was killed: nobody reads it
        about = None
    left = revoked.without(from_parquet(data))
    if about is not None:
        found.append(Artefact(mark, bytes_digest(about), None))
        if left.height:
            found += _write(store, path, left, json.loads(about))
    for old in (mark, path):
        store.delete(old)
        delete_versions(store, old, lambda version, old=old: version.path == old)
    return found


def _write(
    store: ObjectStore, old: str, frame: pl.DataFrame, about: dict[str, object]
) -> list[Artefact]:
    unit = frame_digest(frame.select(KEY))[:16]
    path = latent_part_path(old.split("/")[-2], unit)
    data = to_parquet(frame)
    mark = {**about, "unit": unit, **part_figures(frame, data)}
    text = json.dumps(mark, sort_keys=True).encode()
    store.put(path, data)
    store.put(done_path(path), text)
    return [
        Artefact(path, None, bytes_digest(data)),
        Artefact(done_path(path), None, bytes_digest(text)),
    ]


def delete_denoiser_parts(store: ObjectStore, image_ids: Collection[str]) -> list[Artefact]:
    """Delete what was learned in folds that are measured on some of these images.

    A fold has seen the others of its release: name all images of a release, and all its folds go.
    """
    found = []
    ids = sorted(image_ids)
    if not ids:
        return found
    for path in store.list(denoiser_parts_path("").rstrip("/"))["path"]:
        if not path.endswith(LOSSES):
            continue
        told = pl.read_parquet(store.uri(path), columns=["image_id"], glob=False)["image_id"]
        if told.is_in(ids).any():
            folder, _, file = path.rpartition("/")
            unit = file.removesuffix(LOSSES)
            files = [done_path(path), trained_path(folder, unit), drawn_path(folder, unit)]
            # the losses last: they tell the next call what is left
            for each in (*files, losses_path(folder, unit)):
                found += delete(store, each)
                delete_versions(store, each, lambda version, each=each: version.path == each)
    return found


def delete(store: ObjectStore, path: str) -> list[Artefact]:
    """Delete a file; its older versions stay. Empty where there is none."""
    try:
        before = bytes_digest(store.get(path))
    except FileNotFoundError:
        return []
    store.delete(path)
    return [Artefact(path, before, None)]
