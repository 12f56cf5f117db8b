"""A release as a dataset repository of the Hugging Face hub."""

import hashlib
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dataproc_assets.release.hub import (
    AT_A_TIME,
    ATTRIBUTES,
    PushError,
    Target,
    addition,
    explained,
)
from dataproc_assets.release.manifest import MANIFEST, FileEntry, Manifest, read_manifest, verify
from dataproc_assets.release.revoked import revoked_of, revoked_rows, warning
from dataproc_assets.storage.layout import release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import present_name

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.hf_api import RepoFile

CARD = "README.md"  # the hub shows it, so it comes with the manifest, last
COMMIT = 100  # files of one commit


@dataclass(frozen=True)
class Pushed:
    """Where a release is, in which commit, and how many of its files were sent now."""

    url: str
    commit: str
    sent: int


def push(
    store: ObjectStore,
    name: str,
    repo: str,
    *,
    token: str,
    endpoint: str | None = None,
    private: bool = True,
    revision: str | None = None,
    trusted: Collection[str] = (),
    seen: Callable[[int], None] = lambda _: None,
) -> Pushed:
    """Send a verified release to the hub, in commits of which the last has its manifest.

    What the branch has with the same digest is not sent again, so that a push that was ended goes
    on, and one that is repeated makes no commit.

    Args:
        repo: `owner/name`; made where there is none.
        endpoint: the hub's URL; by default the public one.
        private: whether only its owner sees a repository that is made.
        revision: a branch, made where there is none; by default `main`.
        trusted: public keys whose revocations are honoured, beside those that the release names.
        seen: told how many more bytes of the release are there.

    Raises:
        FileNotFoundError: the release is not published.
        PushError: it is damaged or holds revoked images, the branch holds something else, or the
            hub refuses.
        RevocationError: a revocation cannot be trusted.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars

    manifest = read_manifest(store, release_path(present_name(store, name)))
    if manifest is None:
        raise FileNotFoundError(f"{store.uri(release_path(name))}: {name!r} is not published")
    if problems := verify(store, name):
        raise PushError(f"release {name!r} is damaged; nothing was sent:\n" + "\n".join(problems))
    rows = revoked_rows(store, manifest, revoked_of(store, manifest, trusted))
    if told := warning(store, manifest, rows):
        raise PushError(f"{told}; nothing was sent")
    disable_progress_bars()
    api = HfApi(endpoint=endpoint, token=token, library_name="dataproc_assets")
    target = Target(api, repo, revision or "main")
    with explained(target, token):
        target.open(private)
        there = target.files()
        _require_room(target, manifest, there)
        sent = _send(store, manifest, target, there, seen)
        if sent:
            _require_arrived(store, manifest, target)
    return Pushed(target.url, target.head, sent)


def _require_room(target: Target, manifest: Manifest, there: "dict[str, RepoFile]") -> None:
    """Nothing but this release, or a part of it, may be in the branch."""
    held = target.manifest() if MANIFEST in there else None
    elsewhere = "push to another repository, or name a new branch with --revision"
    if held is not None:
        if (held.digest, held.files) != (manifest.digest, manifest.files):
            raise PushError(
                f"{target.url} holds release {held.name!r} {held.digest[:16]}, not "
                f"{manifest.name!r} {manifest.digest[:16]}; a release never changes: {elsewhere}"
            )
        return
    foreign = sorted(set(there) - set(manifest.files) - {ATTRIBUTES, CARD})
    if foreign:
        raise PushError(
            f"{target.url} holds {len(foreign)} files that are not of release {manifest.name!r} "
            f"(first: {foreign[0]}): {elsewhere}"
        )


def _send(
    store: ObjectStore,
    manifest: Manifest,
    target: Target,
    there: "dict[str, RepoFile]",
    seen: Callable[[int], None],
) -> int:
    """Commit what the branch lacks; returns how many files that were."""
    lacking = []
    for path, entry in manifest.files.items():
        if _same(store, manifest, path, entry, there.get(path)):
            seen(entry.size)
        else:
            lacking.append(path)
    large = [path for path in lacking if path != CARD]
    batches = [large[start : start + COMMIT] for start in range(0, len(large), COMMIT)]
    batches.append([path for path in lacking if path == CARD])
    label = f"release {manifest.name} {manifest.digest[:16]}"
    sent = 0
    for number, batch in enumerate(batches, start=1):
        ends = number == len(batches) and MANIFEST not in there
        if not batch and not ends:
            continue
        with tempfile.TemporaryDirectory() as folder:
            operations = _upload(store, manifest, target, batch, Path(folder), seen)
            if ends:
                text = store.get(f"{release_path(manifest.name)}/{MANIFEST}")
                operations.append(addition(MANIFEST, text))
            target.commit(operations, f"{label}, part {number} of {len(batches)}")
        sent += len(operations)
    return sent


def _upload(
    store: ObjectStore,
    manifest: Manifest,
    target: Target,
    paths: list[str],
    folder: Path,
    seen: Callable[[int], None],
) -> "list[CommitOperationAdd]":
    """Send files in groups; what is still needed of them for the commit lies in the folder."""
    operations = []
    left = iter(paths)
    while group := list(islice(left, AT_A_TIME)):
        copies = [_local(store, manifest, path, folder) for path in group]
        additions = [addition(path, local) for path, local in zip(group, copies, strict=True)]
        target.send(additions)
        for sent, local in zip(additions, copies, strict=True):
            if sent.path_or_fileobj == b"" and folder in local.parents:
                local.unlink()  # sent, and not needed for the commit
        operations += additions
        seen(sum(manifest.files[path].size for path in group))
    return operations


def _local(store: ObjectStore, manifest: Manifest, path: str, folder: Path) -> Path:
    """The file where the store is a folder; else a copy of it, verified once more."""
    full = f"{manifest.root}/{path}"
    if not store.is_s3:
        return Path(store.uri(full))
    local = folder / full.replace("/", "_")
    digest = hashlib.sha256()
    with local.open("wb") as file:
        for piece in store.stream(full)[1]:
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != manifest.files[path].sha256:
        raise PushError(f"{store.uri(full)} was changed while it was pushed")
    return local


def _same(
    store: ObjectStore, manifest: Manifest, path: str, entry: FileEntry, found: "RepoFile | None"
) -> bool:
    """Whether the branch's file has the bytes that were published."""
    if found is None or found.size != entry.size:
        return False
    if found.lfs is not None:
        return found.lfs.sha256 == entry.sha256
    data = store.get(f"{manifest.root}/{path}")  # git names what it holds itself in its own way
    return found.blob_id == hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()


def _require_arrived(store: ObjectStore, manifest: Manifest, target: Target) -> None:
    there = target.files()
    lost = [
        path
        for path, entry in manifest.files.items()
        if not _same(store, manifest, path, entry, there.get(path))
    ]
    if lost or MANIFEST not in there:
        raise PushError(
            f"{target.url}: {len(lost)} files did not arrive as they were sent (first: "
            f"{[*lost, MANIFEST][0]}); push again"
        )
