"""What takes the place of a release that holds revoked images: the same without them."""

import json
import re
import tarfile
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.release.build import Build, ReleaseDamagedError, clean, publish_once
from dataproc_assets.release.extract import Hashed, UnpackError, members
from dataproc_assets.release.manifest import FileEntry, Manifest, read_manifest
from dataproc_assets.release.publish import FORMAT, write_tables
from dataproc_assets.release.rows import read_tables, release_counts
from dataproc_assets.release.select import Step
from dataproc_assets.release.shards import EVERY_SECONDS, Say
from dataproc_assets.release.tars import Sample, Written, shard_name, write_tar
from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.layout import release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import read_withdrawn

NUMBERED = re.compile(r"(.+)\.(\d+)")
STEP = "revoked"  # the funnel's last
AT_A_TIME = 4  # shards; a bucket copies most of them itself


def successor_name(store: ObjectStore, old: Manifest) -> str:
    """`demo.1` for `demo`, `demo.2` for `demo.1`: the next that is free, or is in its place now."""
    match = NUMBERED.fullmatch(old.name)
    base, number = (match[1], int(match[2])) if match else (old.name, 0)
    while True:
        number += 1
        name = f"{base}.{number}"
        there = read_manifest(store, release_path(name))
        if there is not None and there.replaces == _replaced(old):
            return name
        if there is None and read_withdrawn(store, name) is None:
            return name


def publish_successor(
    store: ObjectStore,
    old: Manifest,
    dropped: Collection[str],
    *,
    revokers: Iterable[str],
    code_version: str,
    say: Say,
) -> Manifest:
    """Publish a release without some of its images; the one that is there where a call before did.

    Shards that hold none of them are copied where they lie, the others are rewritten. One that
    would be empty is left out, and the numbers of those after it move up.

    Args:
        dropped: image_ids, of which the release holds more.
        revokers: public keys that the new manifest names beside those of the old one.

    Raises ReleaseDamagedError where a shard that must be rewritten is not as it was published.
    """
    name = successor_name(store, old)
    there = read_manifest(store, release_path(name))
    if there is not None:
        clean(store, release_path(name))  # what a call that was killed just then has left
        return there
    rows = read_tables(store, old)
    kept, names = without(rows, dropped)
    config = old.config | {"name": name}
    digest = json_digest({"format": FORMAT, "config": config, "rows": frame_digest(kept)})
    steps = [Step(**step) for step in old.counts["funnel"]]
    steps.append(Step(STEP, rows.height, kept.height))

    def fill(build: Build) -> Manifest:
        copy_shards(store, build, old, names, touched(rows, dropped), dropped, say)
        form = ReleaseConfig.model_construct(None, **config)  # of the code that published it
        counts = release_counts(form, kept, steps)
        write_tables(build, form, kept, counts, _recipes(old))
        return build.manifest(
            name,
            config,
            inputs=old.inputs,
            counts=counts,
            settings=old.settings,
            revokers=dict.fromkeys([*old.revokers, *revokers]),
            replaces=_replaced(old),
        )

    def conflict(existing: Manifest) -> str:
        return f"{store.uri(release_path(name))} was published meanwhile: start again"

    say(f"release {old.name}: publishing {name} without {rows.height - kept.height} images")
    return publish_once(store, release_path(name), digest, code_version, fill, conflict).manifest


def without(rows: pl.DataFrame, dropped: Collection[str]) -> tuple[pl.DataFrame, dict[str, str]]:
    """The rows of other images, in shards that are numbered anew, and the new name of each shard.

    A shard of which no row is left has no new name.
    """
    kept = rows.filter(~pl.col("image_id").is_in(sorted(dropped)))
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for prefix, _, old in sorted(map(_place, kept["shard"].drop_nulls().unique())):
        number = counts.get(prefix, 0)
        counts[prefix] = number + 1
        names[old] = shard_name(prefix, number)
    return kept.with_columns(pl.col("shard").replace(names)), names


def touched(rows: pl.DataFrame, dropped: Collection[str]) -> set[str]:
    """The shards that hold one of some images."""
    return set(rows.filter(pl.col("image_id").is_in(sorted(dropped)))["shard"].drop_nulls())


def copy_shards(
    store: ObjectStore,
    build: Build,
    old: Manifest,
    names: dict[str, str],
    changed: Collection[str],
    dropped: Collection[str],
    say: Say,
) -> None:
    """Copy shards to their new names, and rewrite those of `changed` without some samples.

    Raises the error of the first shard that cannot be written; those not begun then stay away.
    """

    def one(path: str) -> None:
        source, entry = f"{old.root}/{path}", old.files[path]
        if path not in changed:
            build.copy(names[path], source, entry)
            return

        def make(local: Path) -> Written:
            return write_tar(local, _others(store, source, entry, dropped))

        build.write_file(names[path], make)

    said = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="successor") as pool:
        waiting = [pool.submit(one, path) for path in names]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                if time.monotonic() - said >= EVERY_SECONDS or done == len(names):
                    say(f"{build.folder}: {done} of {len(names)} shards")
                    said = time.monotonic()
        finally:
            for future in waiting:
                future.cancel()


def _others(
    store: ObjectStore, path: str, entry: FileEntry, dropped: Collection[str]
) -> Iterator[Sample]:
    """The samples of a tar but some, in its order. Raises ReleaseDamagedError at its end."""
    source = Hashed(store.stream(path)[1], lambda _: None)
    damaged = ReleaseDamagedError(
        f"{store.uri(path)}: its bytes are not those that were published; restore it from a copy, "
        "then start again"
    )
    name, parts = "", list[tuple[str, bytes]]()
    try:
        for member, data in members(source):
            stem, _, extension = member.partition(".")
            if stem != name and parts:
                yield Sample(name, parts)
                parts = []
            name = stem
            if stem not in dropped:
                parts.append((extension, data))
    except (UnpackError, tarfile.TarError):
        raise damaged from None
    if parts:
        yield Sample(name, parts)
    if source.sha256() != entry.sha256:
        raise damaged


def _place(shard: str) -> tuple[str, int, str]:
    """A shard's prefix, number and name."""
    prefix, _, number = shard.removesuffix(".tar").rpartition("-")
    return prefix, int(number), shard


def _replaced(old: Manifest) -> dict[str, str]:
    return {"name": old.name, "digest": old.digest}


def _recipes(old: Manifest) -> dict[str, RecipeConfig]:
    """The recipes as the manifest keeps them, for the card; those that the code still knows."""
    found: dict[str, RecipeConfig] = {}
    prompts: dict[str, Any] = old.settings.get("prompts", {})
    for name, values in prompts.items():
        try:
            found[name] = RecipeConfig.model_validate_json(json.dumps(values))
        except ValidationError:
            continue
    return found
