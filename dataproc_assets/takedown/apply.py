"""Carrying out what the ledger says: out of the lake, out of published releases, with a receipt."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.definitions import build
from dataproc_assets.release.purge import purge
from dataproc_assets.release.revocations import read_revocations, revoke
from dataproc_assets.release.signing import PrivateKey, private_key_from_env
from dataproc_assets.run import run_stale, terminal
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import receipts_path
from dataproc_assets.storage.stages import PUBLISHED
from dataproc_assets.storage.takedowns import read_takedowns
from dataproc_assets.storage.versions import delete_old_versions, delete_versions
from dataproc_assets.takedown.published import every_name, held_by
from dataproc_assets.takedown.receipts import Receipt, write_receipt
from dataproc_assets.takedown.snapshot import Change, Snapshot, changes, snapshot
from dataproc_assets.takedown.spread import enter_all
from dataproc_assets.turn import end_dead_runs, turn
from dataproc_assets.version import __version__

Say = Callable[[str], None]
BEFORE = f"{receipts_path()}/.before.json"
IMAGES = f"{receipts_path()}/.images.json"
DERIVED = ("stages/", "units/", "gallery/", "crawl_listings/", "events/")
"""What is made of the crawl and of ledgers: of it, no old version is worth keeping."""

EVERY_SECONDS = 5.0  # between two lines of progress


def apply_on(lake: Lake, home: Path, *, purging: bool, say: Say) -> Receipt | None:
    """As `apply`, on the Dagster instance of a folder, when no other run is at work there.

    Raises TurnTaken, and what `apply` raises.
    """
    with turn(home), dg.DagsterInstance.from_config(str(home)) as instance:
        end_dead_runs(instance)
        definitions = build(lake.project, terminal(say))
        return apply(lake, definitions, instance, purging=purging, say=say)


def apply(
    lake: Lake,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    *,
    purging: bool,
    say: Say,
) -> Receipt | None:
    """Take what the ledger names out of everything; None where nothing had to change.

    What is looked at again first is what the entries mean, since the lake may know more copies
    now. Killed at any moment, it is taken up by the next call, whose receipt tells of both.

    Args:
        purging: rewrite the releases that hold what was taken down, under a new name, and delete
            the old ones with all versions that a bucket keeps of them, and of all derived data.

    Raises:
        RunFailed: a stage could not be made again; what was done stays done.
        SigningKeyError: a published release holds a taken down image, and there is no key to
            tell its readers with; nothing was changed.
        RevocationError: conf/takedown.yaml does not name that key.
    """
    store = lake.store
    asked = read_takedowns(store).filter(pl.col("of") == "")
    found = enter_all(lake, asked.drop("id"))
    held = held_by(lake)
    key = private_key_from_env() if held else None
    with _journal(lake, say) as before:
        images = _noted(lake, found.images)
        revocation = _revoke(lake, held, key, say) if key else None
        say("taking it out of the tables, the parts and the gallery")
        without = {*lake.project.pass_metrics, *PUBLISHED}
        run_stale(definitions, lake, instance, without=without, say=say)
        releases, artefacts, versions = _purge(lake, say) if purging else ({}, [], 0)
        if releases:  # the gallery shows what is published now
            run_stale(definitions, lake, instance, without=without, say=say)
        after = _snapshot(lake, before, "what is there now", say)
        changed = _merged(changes(before, after), artefacts)
        if not changed and not versions and revocation is None:
            return None
        entries = read_takedowns(store)
        return write_receipt(
            store,
            applied=datetime.now(UTC).isoformat(timespec="seconds"),
            purged=purging,
            entries=entries.to_dicts(),
            images=images,
            revocation=revocation,
            releases=releases,
            artefacts=changed,
            versions=versions,
        )


def _revoke(lake: Lake, held: dict[str, pl.DataFrame], key: PrivateKey, say: Say) -> str | None:
    """Tell the readers of published releases; returns the path of a new revocation."""
    rows = pl.concat(held.values()).select("image_id", "sha256").unique()
    say(f"revoking {rows.height} images of {', '.join(held)}")
    trusted = lake.project.takedown.public_keys
    today = datetime.now(UTC).date().isoformat()
    done = revoke(lake.store, rows, today, key, trusted=trusted)
    return done.path if done else None


def _purge(lake: Lake, say: Say) -> tuple[dict[str, str], list[Change], int]:
    """Rewrite releases, and delete old versions.

    Returns what took the place of which release, the artefacts that it changed, and how many
    versions of objects were deleted.
    """
    revoked = read_revocations(lake.store, lake.project.takedown.public_keys)
    names: dict[str, str] = {}
    artefacts: list[Change] = []
    count = 0
    for name in every_name(lake.store):
        version = (
            lake.code_version("release", name) if name in lake.project.releases else __version__
        )
        done = purge(lake.store, name, revoked, code_version=version, say=say)
        if done is not None:
            names |= {name: done.successor} if done.successor else {}
            artefacts += [Change(a.path, a.before, a.after) for a in done.artefacts]
            count += done.versions
    count += sum(len(delete_old_versions(lake.store, folder)) for folder in DERIVED)
    return names, artefacts, count


@contextmanager
def _journal(lake: Lake, say: Say) -> Iterator[Snapshot]:
    """What was there before: kept until the receipt is written, for the call that takes it up."""
    try:
        before = Snapshot.parse(lake.store.get(BEFORE))
        say("an earlier takedown was ended half-way: going on from there")
    except FileNotFoundError:
        before = _snapshot(lake, None, "what was there before", say)
        lake.store.put(BEFORE, before.to_json())
    yield before
    for path in (IMAGES, BEFORE):
        lake.store.delete(path)
        delete_versions(lake.store, path)


def _noted(lake: Lake, images: pl.DataFrame) -> list[dict[str, Any]]:
    """The images that are meant, with those of a call that was ended: the tables forget them."""
    try:
        known = json.loads(lake.store.get(IMAGES))
    except FileNotFoundError:
        known = []
    there = {row["image_key"] for row in known}
    rows = known + [row for row in images.drop("scope").to_dicts() if row["image_key"] not in there]
    rows.sort(key=lambda row: row["image_key"])
    lake.store.put(IMAGES, json.dumps(rows).encode())
    return rows


def _snapshot(lake: Lake, before: Snapshot | None, what: str, say: Say) -> Snapshot:
    """As `snapshot`, saying now and then how far it is."""
    done, said = 0, time.monotonic()

    def seen(more: int) -> None:
        nonlocal done, said
        done += more
        if time.monotonic() - said >= EVERY_SECONDS:
            say(f"reading {what}: {done} files")
            said = time.monotonic()

    return snapshot(lake.store, before, seen)


def _merged(found: list[Change], told: list[Change]) -> list[Change]:
    """What two snapshots tell, and of what a purge was told whatever came and went between."""
    known = {change.path: change for change in told} | {change.path: change for change in found}
    return [known[path] for path in sorted(known)]
