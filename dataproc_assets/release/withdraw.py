"""Deleting a release that another has taken the place of, or past states that hold an image."""

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from dataproc_assets.release.manifest import MANIFEST, Manifest, parse_manifest
from dataproc_assets.release.revocations import Revoked
from dataproc_assets.release.revoked import LostTableError, revoked_rows, state_rows
from dataproc_assets.release.scrub import Artefact, delete, delete_denoiser_parts
from dataproc_assets.release.states import State, states
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import (
    denoiser_path,
    latents_path,
    release_path,
    withdrawn_path,
)
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.versions import (
    ObjectVersion,
    all_versions,
    delete_old_versions,
    delete_versions,
)

Gone = tuple[list[Artefact], int]
"""The files that were deleted, and how many versions of any."""


def delete_folder(store: ObjectStore, folder: str, keep: str = "") -> Gone:
    """Delete a published folder and all that a bucket keeps of it, but the file `keep`.

    The manifest goes last, so that a call that goes on knows what there was.
    """
    manifest = f"{folder}/{MANIFEST}"
    found = []
    digests = _digests(store, manifest)
    there = set(store.list(folder)["path"]) - {keep, manifest}
    for path in sorted(there | digests.keys()):
        found.append(Artefact(path, digests.get(path), None))
        store.delete(path)
    store.abandon(folder)
    found += delete(store, manifest)
    gone = delete_versions(store, f"{folder}/", lambda version: version.path != keep)
    if not store.is_s3:
        _remove_empty(Path(store.uri(folder)))
    return found, len(gone)


def _remove_empty(folder: Path) -> None:
    """Remove the folders in which nothing is any more; their names tell of a digest."""
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def delete_withdrawn(store: ObjectStore, name: str) -> Gone:
    """Delete all of a withdrawn release, its latents and its denoiser, but for what says so."""
    parts = [
        delete_folder(store, denoiser_path(name)),
        delete_folder(store, latents_path(name)),
        delete_folder(store, release_path(name), withdrawn_path(name)),
    ]
    return [item for found, _ in parts for item in found], sum(count for _, count in parts)


def delete_past(store: ObjectStore, name: str, revoked: Revoked) -> Gone:
    """Delete the past states of a release, and of its latents, that hold a revoked image.

    With them goes what was learned from them, and what no state names, of which nobody knows what
    it holds. Of a denoiser, whose past states nothing reads, they all go.
    """
    artefacts, count = [], 0
    for folder in (release_path(name), latents_path(name)):
        bad = [
            state
            for state in states(store, folder)
            if not state.published and _holds(store, state, revoked)
        ]
        artefacts += delete_denoiser_parts(store, _ids(store, bad))
        found, gone = _prune(store, folder, bad)
        artefacts += found
        count += gone
    if count:
        count += len(delete_old_versions(store, f"{denoiser_path(name)}/"))
    return artefacts, count


def _prune(store: ObjectStore, folder: str, bad: list[State]) -> Gone:
    """Delete some past states of a folder, and what no state names."""
    versions = list(all_versions(store, f"{folder}/"))
    if not versions:
        return [], 0
    known = states(store, folder)
    good = [state for state in known if state not in bad]
    kept = _kept(folder, good, versions)
    roots = tuple(f"{state.manifest.root}/" for state in bad)
    roots = tuple(root for root in roots if root not in {f"{s.manifest.root}/" for s in good})

    def goes(version: ObjectVersion) -> bool:
        if version.path.startswith(roots):
            return True
        return not (version.deleted or version.latest or (version.path, version.version) in kept)

    left = defaultdict(int)
    for version in versions:
        left[version.path] += not (version.deleted or goes(version))
    gone = delete_versions(
        store, f"{folder}/", lambda v: goes(v) or (v.deleted and not left[v.path])
    )
    found = [
        Artefact(f"{state.manifest.root}/{path}", entry.sha256, None)
        for state in bad
        for path, entry in state.manifest.files.items()
    ]
    found += [Artefact(f"{folder}/{MANIFEST}", bytes_digest(state.text), None) for state in bad]
    return found, len(gone)


def _holds(store: ObjectStore, state: State, revoked: Revoked) -> bool:
    try:
        return revoked_rows(store, state.manifest, revoked).height > 0
    except LostTableError:  # nobody can know what it holds
        return True


def _ids(store: ObjectStore, known: list[State]) -> set[str]:
    """The images of some states, as far as they can be known."""
    found: set[str] = set()
    for state in known:
        with suppress(LostTableError):
            found |= set(state_rows(store, state.manifest)["image_id"])
    return found


def _kept(folder: str, good: list[State], versions: list[ObjectVersion]) -> set[tuple[str, str]]:
    """The path and VersionId of every file of some states."""
    known = defaultdict(set)
    for version in versions:
        known[version.path].add(version.version)
    kept = {(f"{folder}/{MANIFEST}", state.version or "") for state in good}
    for state in good:
        for name, entry in state.manifest.files.items():
            path = f"{state.manifest.root}/{name}"
            # published elsewhere, or before the bucket kept versions, it can be any of them
            named = [version for version in known[path] if version == entry.version]
            kept |= {(path, version) for version in named or known[path]}
    return kept


def _digests(store: ObjectStore, manifest: str) -> dict[str, str]:
    """The files that a manifest names, by path below the storage root."""
    try:
        known: Manifest = parse_manifest(store.get(manifest))
    except FileNotFoundError:
        return {}
    return {f"{known.root}/{path}": entry.sha256 for path, entry in known.files.items()}
