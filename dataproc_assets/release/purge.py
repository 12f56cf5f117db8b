"""Purging a release: the same without the revoked images, and no byte left of the old one.

What is new comes first, then what says where it is, and last the old goes: a call that was killed
is taken up by the next one, and whoever reads meanwhile has one or the other.
"""

import json
from dataclasses import dataclass

from dataproc_assets.release.manifest import MANIFEST, Manifest, read_manifest
from dataproc_assets.release.revocations import Revoked
from dataproc_assets.release.revoked import revoked_rows, state_rows
from dataproc_assets.release.rows import read_tables
from dataproc_assets.release.scrub import Artefact, delete_denoiser_parts, scrub_latent_parts
from dataproc_assets.release.shards import Say
from dataproc_assets.release.successor import publish_successor
from dataproc_assets.release.successor_latents import publish_successor_latents
from dataproc_assets.release.withdraw import Gone, delete_folder, delete_past, delete_withdrawn
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import (
    denoiser_path,
    latents_path,
    release_path,
    withdrawn_path,
)
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import Withdrawn, read_withdrawn, withdrawals


@dataclass(frozen=True)
class Purged:
    """What was done for one release.

    Attributes:
        name: of the release.
        successor: what is in its place; None where it is not withdrawn, or no image is left.
        artefacts: every file that came, changed or went, by path.
        versions: how many versions of objects were deleted for good.
    """

    name: str
    successor: str | None
    artefacts: list[Artefact]
    versions: int


def purge(
    store: ObjectStore, name: str, revoked: Revoked, *, code_version: str, say: Say
) -> Purged | None:
    """Put a release without the revoked images in the place of one that holds any.

    The new one is named `{name}.1`, that after it `{name}.2`, and has latents where the old one
    had. A denoiser that learned from the old one is deleted, and made again by the next run. Past
    states that a bucket keeps, and that hold a revoked image, are deleted. A release that was
    withdrawn before is deleted as far as a killed call left something of it.

    Args:
        name: a release; one that is not published may have past states.
        code_version: of the code that writes the new release.
        say: takes a line of progress, now and then.

    Returns None where there was nothing to do.

    Raises:
        LostTableError, ReleaseDamagedError: the release is not as it was published.
        ReleaseExistsError: other latents stand where the new ones belong.
        ConnectionError: a version cannot be listed or deleted.
    """
    made: list[Artefact] = []
    withdrawn = read_withdrawn(store, name)
    old = read_manifest(store, release_path(name)) if withdrawn is None else None
    held = revoked_rows(store, old, revoked) if old else None
    if old is not None and held is not None and held.height:
        successor, made = _replace(store, old, set(held["image_id"]), revoked, code_version, say)
        withdrawn = Withdrawn(
            name, old.digest, successor, revoked.date_of(held["sha256"].to_list())
        )
        store.put_new(withdrawn_path(name), withdrawn.to_json())
        made.append(Artefact(withdrawn_path(name), None, bytes_digest(withdrawn.to_json())))
    if withdrawn is not None:
        found, count = delete_withdrawn(store, name)
    else:
        found, count = _delete_past(store, name, old, revoked) if revoked else ([], 0)
    if not (made or found or count):
        return None
    say(f"release {name}: {len(found)} files and {count} versions deleted")
    more = None
    if made and withdrawn and withdrawn.replaced_by:  # it may be of a call that knew less
        place = withdrawn.replaced_by
        more = purge(store, place, revoked, code_version=code_version, say=say)
    if more is not None:
        made, count = made + more.artefacts, count + more.versions
    chain = withdrawals(store, name)
    successor = chain[-1].replaced_by if chain else None
    return Purged(name, successor, sorted(made + found, key=lambda a: a.path), count)


def _replace(
    store: ObjectStore,
    old: Manifest,
    dropped: set[str],
    revoked: Revoked,
    code_version: str,
    say: Say,
) -> tuple[str | None, list[Artefact]]:
    """Publish what takes the place of a release, and forget what was learned from it.

    Returns the new name, None where no image is left, and what came, changed or went.
    """
    rows, name, made = read_tables(store, old), None, []
    latents = read_manifest(store, latents_path(old.name))
    if dropped < set(rows["image_id"]):
        keys = {json.loads(data)["public_key"] for data in revoked.files.values()}
        release = publish_successor(
            store, old, dropped, revokers=sorted(keys), code_version=code_version, say=say
        )
        name, made = release.name, _files(store, release_path(release.name), release)
        if latents is not None and latents.inputs["release"] == old.digest:
            there = publish_successor_latents(
                store, latents, release, code_version=code_version, say=say
            )
            made += _files(store, latents_path(release.name), there)
    made += scrub_latent_parts(store, revoked)
    return name, made + delete_denoiser_parts(store, rows["image_id"].to_list())


def _delete_past(store: ObjectStore, name: str, old: Manifest | None, revoked: Revoked) -> Gone:
    """Delete past states, and what is left of another release of the name, that hold an image."""
    found, count = delete_past(store, name, revoked)
    latents = read_manifest(store, latents_path(name))
    if latents is not None and old is not None and latents.inputs["release"] == old.digest:
        latents = None
    if latents is not None and revoked_rows(store, latents, revoked).height:
        found += delete_denoiser_parts(store, state_rows(store, latents)["image_id"].to_list())
        for folder in (denoiser_path(name), latents_path(name)):
            files, versions = delete_folder(store, folder)
            found += files
            count += versions
    if found:
        found += scrub_latent_parts(store, revoked)
    return found, count


def _files(store: ObjectStore, folder: str, manifest: Manifest) -> list[Artefact]:
    """The files of a published folder, as new ones."""
    path = f"{folder}/{MANIFEST}"
    files = {f"{manifest.root}/{name}": entry.sha256 for name, entry in manifest.files.items()}
    files[path] = bytes_digest(store.get(path))
    return [Artefact(path, None, sha256) for path, sha256 in files.items()]
