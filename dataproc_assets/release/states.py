"""The states of a release that a store has: the published one, and on a versioned bucket the past.

What a reader may have of a name is decided here alone.
"""

from dataclasses import dataclass
from datetime import datetime

from dataproc_assets.release.manifest import MANIFEST, Manifest, parse_manifest
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.versions import object_versions
from dataproc_assets.storage.withdrawn import present_name, withdrawals

SHORTEST = 4  # letters of a digest that may stand for it


class UnknownStateError(Exception):
    """There is no such state, or more than one; the message names those that there are."""


@dataclass(frozen=True)
class State:
    """A manifest as it is stored, its VersionId and date, and whether it is the published one.

    In a folder, and in a bucket that keeps no versions, there is neither VersionId nor date.
    """

    manifest: Manifest
    text: bytes
    version: str | None
    written: datetime | None
    published: bool


def states(store: ObjectStore, folder: str) -> list[State]:
    """All manifests that were ever published in a folder and that the store still has.

    The published one comes first, then the newest. Raises ConnectionError.
    """
    path = f"{folder}/{MANIFEST}"
    found = []
    for entry in object_versions(store, path):
        if not entry.deleted:
            text = store.get(path, version=entry.version)
            known = parse_manifest(text)
            found.append(State(known, text, entry.version, entry.modified, entry.latest))
    return found or [state for state in [_present(store, path)] if state]


def find_state(store: ObjectStore, name: str, version: str | None = None) -> State:
    """The published state of a release, or the one of a VersionId or of a digest's beginning.

    Of several with that digest the newest is taken: they have the same content. The published
    state of a release that was withdrawn is that of the one in its place.

    Raises:
        UnknownStateError: there is none, or digests of different content begin so.
    """
    folder = release_path(name)
    gone = withdrawals(store, name)
    if version is None:
        present = _present(store, f"{release_path(present_name(store, name))}/{MANIFEST}")
        if present is None and gone:
            raise UnknownStateError(f"{store.uri(folder)}: {gone[-1]}")
        if present is None:
            raise UnknownStateError(
                f"{store.uri(folder)}: {name!r} is not published; `dataproc release list` shows "
                f"what is, and `dataproc release versions {name}` what its bucket still has of it"
            )
        return present
    known = states(store, folder)
    found = [state for state in known if state.version == version]
    if not found and len(version) >= SHORTEST:
        found = [state for state in known if state.manifest.digest.startswith(version)]
    if not found or len({state.manifest.digest for state in found}) > 1:
        digests = dict.fromkeys(state.manifest.digest[:16] for state in known)
        what = "fits more than one state" if found else "is no state"
        told = f"; {gone[0]}" if gone else ""
        raise UnknownStateError(
            f"{store.uri(folder)}: --version {version} {what} of {name!r}; there are "
            f"{', '.join(digests) or 'none'} (digests; `dataproc release versions {name}` has more)"
            f"{told}"
        )
    return found[0]


def latents_of(store: ObjectStore, release: State) -> State | None:
    """The latents of a release's state: the published ones if they are of it, or else the newest.

    None where none were published of it.
    """
    folder = latents_path(release.manifest.name)
    present = _present(store, f"{folder}/{MANIFEST}")
    known = [present] if present else []
    if not release.published or not known:
        known += states(store, folder)
    digest = release.manifest.digest
    return next((state for state in known if state.manifest.inputs["release"] == digest), None)


def _present(store: ObjectStore, path: str) -> State | None:
    try:
        text = store.get(path)
    except FileNotFoundError:
        return None
    return State(parse_manifest(text), text, None, None, True)
