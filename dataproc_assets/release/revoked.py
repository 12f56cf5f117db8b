"""What of a published release may be used: the one place where readers learn what is revoked."""

from collections.abc import Collection
from io import BytesIO

import polars as pl

from dataproc_assets.release.manifest import FileEntry, Manifest
from dataproc_assets.release.revocations import IMAGES, Revoked, revocations_for
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import withdrawals

SHOWN = 3


class LostTableError(Exception):
    """A table of a published state is not there as it was published."""


def revoked_of(store: ObjectStore, release: Manifest, trusted: Collection[str] = ()) -> Revoked:
    """What readers of a release must not use.

    Args:
        release: its manifest, which names the keys that it trusts.
        trusted: public keys that are trusted too, those of the configuration where there is one.

    Raises RevocationError where a revocation was changed. What is returned raises it where rows
    hold an image that a key revoked which is not trusted.
    """
    return revocations_for(store, {*trusted, *release.revokers})


def revoked_rows(store: ObjectStore, state: Manifest, revoked: Revoked) -> pl.DataFrame:
    """image_id and sha256 of the revoked images that a state of a release or of latents holds.

    Raises LostTableError where a table is not there as it was published.
    """
    return revoked.among(state_rows(store, state)) if revoked else IMAGES.to_frame()


def state_rows(store: ObjectStore, state: Manifest) -> pl.DataFrame:
    """image_id and sha256 of all images that a state of a release or of latents holds, sorted.

    Raises LostTableError where a table is not there as it was published.
    """
    found = [IMAGES.to_frame()]
    for path in state.files:
        if "/" not in path and path.endswith(".parquet"):
            data = _published(store, f"{state.root}/{path}", state.files[path])
            found.append(pl.read_parquet(BytesIO(data), columns=IMAGES.names()))
    return pl.concat(found).sort(IMAGES.names())


def warning(store: ObjectStore, state: Manifest, rows: pl.DataFrame) -> str | None:
    """What a person is told of a state that holds revoked images; None where it holds none."""
    if rows.is_empty():
        return None
    ids = rows["image_id"].unique().sort()
    some = ", ".join(ids.head(SHOWN))
    gone = withdrawals(store, state.name)
    place = gone[-1].replaced_by if gone else None
    step = (
        f"use {place!r}, which is in its place"
        if place
        else "`dataproc takedown apply --purge` puts a release without them in its place"
    )
    return f"{len(ids)} of the images of {state.name!r} are revoked (first: {some}); {step}"


def _published(store: ObjectStore, path: str, entry: FileEntry) -> bytes:
    """A file as it was published: the version that the manifest names, or the present object."""
    for version in dict.fromkeys([entry.version, None] if store.is_s3 else [None]):
        try:
            data = store.get(path, version=version)
        except FileNotFoundError:
            continue
        if bytes_digest(data) == entry.sha256:
            return data
    raise LostTableError(
        f"{store.uri(path)} is not what was published: restore it from a copy; until then it "
        "cannot be known which of its images are revoked"
    )
