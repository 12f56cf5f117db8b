"""Published releases: which there are, and whether each is still what was published."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC

from rich.filesize import decimal
from rich.table import Table

from dataproc_assets.release.manifest import (
    MANIFEST,
    Manifest,
    read_manifest,
    verify,
    verify_latents,
)
from dataproc_assets.release.revoked import LostTableError, revoked_of, revoked_rows, warning
from dataproc_assets.release.states import State
from dataproc_assets.storage.layout import WITHDRAWN, latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import Withdrawn, present_name, withdrawals


class UnknownRelease(ValueError):  # noqa: N818
    """A name under which nothing was published; the message has the nearest one."""


def published(store: ObjectStore, names: Sequence[str] = ()) -> list[Manifest]:
    """The manifests of some releases, or of all that are in the store, by name.

    For one that was withdrawn stands the one in its place.

    Raises:
        UnknownRelease: nothing was published under a name, or nothing is in its place.
    """
    gone = {each.name for each in withdrawn(store)}
    there = sorted(_named(store, MANIFEST) - gone)
    names = [_present(store, name) for name in names]
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = (
                f"did you mean '{near[0]}'?" if near else f"there are {', '.join(there) or 'none'}"
            )
            raise UnknownRelease(f"no release '{name}' in {store.url} ({hint})")
    manifests = (read_manifest(store, release_path(name)) for name in dict.fromkeys(names or there))
    return [manifest for manifest in manifests if manifest is not None]


def withdrawn(store: ObjectStore, names: Sequence[str] = ()) -> list[Withdrawn]:
    """What stands for releases that were withdrawn, and for what took their place and was too.

    Of some names, or of all that are in the store, by name.
    """
    asked = names or sorted(_named(store, WITHDRAWN))
    return list(dict.fromkeys(each for name in asked for each in withdrawals(store, name)))


def _named(store: ObjectStore, file: str) -> set[str]:
    """The releases in whose folder there is a file of that name."""
    paths = [path for path in store.list(release_path(""))["path"] if path.endswith(f"/{file}")]
    names = {path.removeprefix(release_path("")).removesuffix(f"/{file}") for path in paths}
    return {name for name in names if "/" not in name}


def _present(store: ObjectStore, name: str) -> str:
    gone = withdrawals(store, name)
    if gone and gone[-1].replaced_by is None:
        raise UnknownRelease(str(gone[-1]))
    return present_name(store, name)


def listing(store: ObjectStore, releases: Iterable[Manifest]) -> Table:
    """Each release: images, prompts, files, bytes, its latents, its digest."""
    table = Table(box=None, pad_edge=False)
    table.add_column("release", no_wrap=True)
    for column in ("images", "prompts", "files", "size", "latents"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("digest", no_wrap=True)
    for release in releases:
        latents = read_manifest(store, latents_path(release.name))
        table.add_row(
            release.name,
            str(release.counts["images"]),
            str(release.counts["prompts"]),
            str(len(release.files)),
            decimal(sum(entry.size for entry in release.files.values())),
            str(latents.counts["images"]) if latents else "none",
            release.digest[:16],
        )
    return table


def history(known: Iterable[State]) -> Table:
    """Each state that a store has of a release: which is published, when written, what is in it."""
    table = Table(box=None, pad_edge=False)
    for column in ("state", "written", "digest", "version"):
        table.add_column(column, no_wrap=True)
    for column in ("images", "files", "size"):
        table.add_column(column, justify="right", no_wrap=True)
    for state in known:
        table.add_row(
            "published" if state.published else "past",
            f"{state.written.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if state.written else "-",
            state.manifest.digest[:16],
            state.version or "-",
            str(state.manifest.counts["images"]),
            str(len(state.manifest.files)),
            decimal(sum(entry.size for entry in state.manifest.files.values())),
        )
    return table


def faults(
    store: ObjectStore, releases: Iterable[Manifest], trusted: Collection[str] = ()
) -> Iterator[tuple[str, list[str]]]:
    """What each release and its latents are, and what is wrong with them; every byte is read.

    That some of its images are revoked is wrong with a release too.

    Args:
        trusted: public keys whose revocations are honoured, beside those that a release names.

    Raises RevocationError where a revocation cannot be trusted.
    """
    for release in releases:
        size = decimal(sum(entry.size for entry in release.files.values()))
        what = f"release {release.name}: {len(release.files)} files, {size}"
        yield what, [*verify(store, release.name), *_revoked(store, release, trusted)]
        latents = read_manifest(store, latents_path(release.name))
        if latents:
            yield (
                f"latents {release.name}: {len(latents.files)} files",
                verify_latents(store, release.name),
            )


def _revoked(store: ObjectStore, release: Manifest, trusted: Collection[str]) -> list[str]:
    revoked = revoked_of(store, release, trusted)
    try:
        told = warning(store, release, revoked_rows(store, release, revoked))
    except LostTableError as error:
        return [str(error)]
    return [told] if told else []
