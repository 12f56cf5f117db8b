"""What a fetch is to bring of a release, and whether it may."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from dataproc_assets.release.manifest import MANIFEST, FileEntry
from dataproc_assets.release.revocations import Revoked
from dataproc_assets.release.revoked import LostTableError, revoked_of, revoked_rows, warning
from dataproc_assets.release.states import State, find_state, latents_of
from dataproc_assets.storage.layout import latents_path, release_path, withdrawn_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import Withdrawn, present_name, withdrawals


class FetchError(Exception):
    """A release cannot be fetched; the message names the place and the next step."""


@dataclass(frozen=True)
class Plan:
    """What is to be fetched: the state of a release, and of its latents where it has them.

    `beside` are small files that come with it, by path below the storage root: the revocations,
    and what stands for releases that it took the place of. `refused` says why it must not be
    fetched, where it holds revoked images.
    """

    store: ObjectStore
    release: State
    latents: State | None
    beside: dict[str, bytes] = field(default_factory=dict)
    withdrawn: list[Withdrawn] = field(default_factory=list)
    refused: str | None = None

    def manifests(self) -> dict[str, bytes]:
        """The manifests by path below the storage root, the release's last."""
        parts = [(latents_path, self.latents), (release_path, self.release)]
        return {f"{at(s.manifest.name)}/{MANIFEST}": s.text for at, s in parts if s}

    def files(self) -> dict[str, FileEntry]:
        """All other files by path below the storage root."""
        return {
            f"{state.manifest.root}/{path}": entry
            for state in (self.release, self.latents)
            if state
            for path, entry in state.manifest.files.items()
        }

    def bytes(self) -> int:
        """The size of all files."""
        return sum(entry.size for entry in self.files().values())


def plan_fetch(
    store: ObjectStore,
    name: str,
    *,
    version: str | None = None,
    latents: bool = True,
    trusted: Collection[str] = (),
) -> Plan:
    """Say what a fetch would bring.

    Args:
        version: a VersionId of the release's manifest, or the beginning of a digest.
        latents: whether its latents come with it, if there are any.
        trusted: public keys whose revocations are honoured, beside those that the release names.

    Raises:
        UnknownStateError: there is no such state of that release.
        FetchError: its manifest names files outside its folder.
        RevocationError: a revocation cannot be trusted.
    """
    release = find_state(store, name, version)
    place = present_name(store, name) if version is None else name
    _require_inside(store, release_path(place), place, release)
    revoked = revoked_of(store, release.manifest, trusted)
    gone = withdrawals(store, name) if version is None else []
    plan = Plan(
        store,
        release,
        latents_of(store, release) if latents else None,
        revoked.files | {withdrawn_path(each.name): each.to_json() for each in gone},
        gone,
        _refused(store, release, revoked),
    )
    if plan.latents is not None:
        _require_inside(store, latents_path(place), place, plan.latents)
    return plan


def _refused(store: ObjectStore, state: State, revoked: Revoked) -> str | None:
    """Why a state must not be fetched, if so."""
    try:
        return warning(store, state.manifest, revoked_rows(store, state.manifest, revoked))
    except LostTableError:
        return None  # then it cannot be fetched either, which is told with what is lost


def _require_inside(store: ObjectStore, folder: str, name: str, state: State) -> None:
    """Nothing that a manifest names may lie outside the folder that is the release's."""
    if state.manifest.name != name:
        raise FetchError(
            f"{store.uri(folder)}/{MANIFEST} calls itself {state.manifest.name!r}: do not use it, "
            "and ask who published it"
        )
    for path in (state.manifest.root, *(f"{folder}/x/{path}" for path in state.manifest.files)):
        parts = path.split("/")
        below = path.startswith(f"{folder}/") and str(PurePosixPath(path)) == path
        if not below or ".." in parts or "\\" in path or not path.isprintable():
            raise FetchError(
                f"{store.uri(folder)}/{MANIFEST} names {path!r}, which does not lie in the "
                "release's folder: do not use it, and ask who published it"
            )
