"""Published releases: which there are, and whether each is still what was published."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
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
from dataproc_assets.release.states import State
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore


class UnknownRelease(ValueError):  # noqa: N818
    """A name under which nothing was published; the message has the nearest one."""


def published(store: ObjectStore, names: Sequence[str] = ()) -> list[Manifest]:
    """The manifests of some releases, or of all that are in the store, by name.

    Raises:
        UnknownRelease: nothing was published under a name.
    """
    ending = f"/{MANIFEST}"
    found = [path for path in store.list(release_path(""))["path"] if path.endswith(ending)]
    known = {path.removeprefix(release_path("")).removesuffix(ending) for path in found}
    there = sorted(name for name in known if "/" not in name)
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = (
                f"did you mean '{near[0]}'?" if near else f"there are {', '.join(there) or 'none'}"
            )
            raise UnknownRelease(f"no release '{name}' in {store.url} ({hint})")
    manifests = (read_manifest(store, release_path(name)) for name in dict.fromkeys(names or there))
    return [manifest for manifest in manifests if manifest is not None]


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


def faults(store: ObjectStore, releases: Iterable[Manifest]) -> Iterator[tuple[str, list[str]]]:
    """What each release and its latents are, and what is wrong with them; every byte is read."""
    for release in releases:
        size = decimal(sum(entry.size for entry in release.files.values()))
        what = f"release {release.name}: {len(release.files)} files, {size}"
        yield what, verify(store, release.name)
        latents = read_manifest(store, latents_path(release.name))
        if latents:
            yield (
                f"latents {release.name}: {len(latents.files)} files",
                verify_latents(store, release.name),
            )
