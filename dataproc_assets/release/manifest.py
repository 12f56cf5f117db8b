"""What a published folder holds, and whether it still does."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import present_name

MANIFEST = "manifest.json"
READ_BYTES = 1 << 26


@dataclass(frozen=True)
class FileEntry:
    """A file of a release: SHA-256 (hex), bytes, and rows where it has rows.

    `version` is the object's VersionId on a bucket that keeps versions.
    """

    sha256: str
    size: int
    rows: int | None
    version: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The one document that makes a release visible.

    `root` is the folder of its files below the storage root, named by the digest; `files` has
    their paths below `root`. `digest` is over what the release was asked to hold: its rows and
    its config. `inputs` are the digests of the stage tables that the rows came from, `settings`
    what of the configuration decided over them. `revokers` are the public keys whose revocations
    its readers honour; `replaces` has name and digest of the release that this one is in the
    place of.
    """

    name: str
    root: str
    digest: str
    config: dict[str, Any]
    config_digest: str
    inputs: dict[str, str]
    code_version: str
    counts: dict[str, Any]
    files: dict[str, FileEntry]
    settings: dict[str, Any] = field(default_factory=dict)
    revokers: list[str] = field(default_factory=list)
    replaces: dict[str, str] | None = None

    def to_json(self) -> bytes:
        """The manifest as it is stored."""
        value = asdict(self)
        for name in ("revokers", "replaces"):
            if not value[name]:
                del value[name]
        for entry in value["files"].values():
            if entry["version"] is None:
                del entry["version"]
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
        return f"{text}\n".encode()


def read_manifest(store: ObjectStore, folder: str) -> Manifest | None:
    """The manifest of a release's or a latents' folder; None where nothing is published."""
    try:
        return parse_manifest(store.get(f"{folder}/{MANIFEST}"))
    except FileNotFoundError:
        return None


def parse_manifest(text: bytes) -> Manifest:
    """A manifest from what `to_json` gave."""
    value = json.loads(text)
    files = {path: FileEntry(**entry) for path, entry in value.pop("files").items()}
    return Manifest(**value, files=files)


def verify(store: ObjectStore, name: str) -> list[str]:
    """What is wrong with a published release; empty where every byte is as published."""
    return verify_folder(store, release_path(present_name(store, name)))


def verify_latents(store: ObjectStore, name: str) -> list[str]:
    """What is wrong with the latents of a release; empty where every byte is as published."""
    return verify_folder(store, latents_path(present_name(store, name)))


def verify_folder(store: ObjectStore, folder: str) -> list[str]:
    """Each file against the manifest: there, of its size and SHA-256; no file too many; no gap."""
    manifest = read_manifest(store, folder)
    if manifest is None:
        return [f"{store.uri(folder)}: there is no {MANIFEST}: nothing was published here"]
    problems = []
    found = dict(store.list(manifest.root).select("path", "size").iter_rows())
    for path, entry in manifest.files.items():
        full = f"{manifest.root}/{path}"
        if full not in found:
            problems.append(f"{store.uri(full)}: is missing")
        elif found[full] != entry.size:
            problems.append(f"{store.uri(full)}: {found[full]} bytes, published {entry.size}")
        elif object_sha256(store, full, entry.size) != entry.sha256:
            problems.append(f"{store.uri(full)}: its bytes are not those that were published")
    known = {f"{manifest.root}/{path}" for path in manifest.files}
    extra = [f"{store.uri(path)}: is not in the manifest" for path in sorted(set(found) - known)]
    return problems + extra + _gaps(list(manifest.files))


def object_sha256(store: ObjectStore, path: str, size: int) -> str:
    """SHA-256 (hex) of an object of `size` bytes, read in pieces."""
    digest = hashlib.sha256()
    for start in range(0, size, READ_BYTES):
        digest.update(store.get_range(path, start, min(READ_BYTES, size - start)))
    return digest.hexdigest()


def _gaps(paths: list[str]) -> list[str]:
    """Shards of each prefix must be numbered 0, 1, 2, …: a training reader stops at a gap."""
    numbers: dict[str, list[int]] = {}
    for path in paths:
        if match := re.fullmatch(r"(.*)-(\d{5,})\.tar", path):
            numbers.setdefault(match[1], []).append(int(match[2]))
    return [
        f"{prefix}: shards are numbered {sorted(found)}, expected 0 to {len(found) - 1}"
        for prefix, found in numbers.items()
        if sorted(found) != list(range(len(found)))
    ]
