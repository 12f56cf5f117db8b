"""A release as the folder that kohya's sd-scripts trains from."""

import fcntl
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataproc_assets.release.extract import Made, Member, UnpackError, extract, replace
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.sd_scripts import (
    CACHES,
    cache_bytes,
    cache_name,
    cache_suffix,
    captions,
    dataset_toml,
)
from dataproc_assets.release.unpack_plan import Plan
from dataproc_assets.storage.npy import read_npy

NOTES = ".unpack"
Seen = Callable[[int], None]


@dataclass(frozen=True)
class Unpacked:
    """What was unpacked: `--dataset_config`'s file, counts, and what a person must know."""

    toml: Path
    images: int
    latents: int
    cautions: list[str]


def unpack(plan: Plan, folder: Path, *, threads: int = 4, seen: Seen = lambda _: None) -> Unpacked:
    """Write the images, their prompts, and their latents where there are any.

    `images/` has the images as they were published, a `.txt` for each with its prompts, a line
    each, and its latent, `{stem}_{W:04d}x{H:04d}_sdxl.npz`; `metadata.json` has the prompts and
    sizes by absolute path; `dataset.toml`, which comes last, is for `--dataset_config`, with the
    buckets that the latents were made for. Ended at any moment, it goes on where it stopped.
    Revoked images are left out, and removed where an earlier run wrote them.

    Args:
        folder: new, empty, or begun by an earlier run of the same split.
        threads: tars at a time; each has one member in memory.
        seen: told how many more bytes of the tars are done.

    Raises:
        UnpackError: the folder is of something else or in use, or a tar is not as published.
        FileNotFoundError, ConnectionError: a tar cannot be read.
    """
    folder = folder.resolve()
    images, metadata, toml = folder / "images", folder / "metadata.json", folder / "dataset.toml"
    with _claimed(plan, folder):
        images.mkdir(exist_ok=True)
        _remove_revoked(plan, images)
        entries, lines = captions(plan.entries)
        about = f"release {plan.release.name} ({plan.release.digest[:16]}), {plan.split}"
        config = plan.latents.config if plan.latents else None
        text = dataset_toml(f"{about}, by {plan.recipe}", images, metadata, config, lines)
        if not toml.is_file() or toml.read_text(encoding="utf-8") != text:
            toml.unlink(missing_ok=True)
        written = _extract(plan, images, folder / NOTES, threads, seen)
        _require(plan, written)
        for file, entry in entries.items():
            replace(images / f"{_stem(file)}.txt", f"{entry['caption']}\n".encode())
        absolute = {str(images / file): entry for file, entry in entries.items()}
        replace(metadata, f"{json.dumps(absolute, ensure_ascii=False, indent=0)}\n".encode())
        replace(toml, text.encode())
    return Unpacked(toml, len(entries), len(written) - len(entries), plan.cautions)


def _remove_revoked(plan: Plan, images: Path) -> None:
    """The tars that these files came from are then read again, without them."""
    for file, (width, height) in plan.revoked.items():
        stem = _stem(file)
        caches = [cache_name(stem, width, height, suffix) for suffix in CACHES.values()]
        for name in (file, f"{stem}.txt", *caches):
            (images / name).unlink(missing_ok=True)


def _require(plan: Plan, written: set[str]) -> None:
    """Every image of the split, and its latent unless that failed, must have been in a shard."""
    lost = sorted(set(plan.entries) - written)
    if plan.latents is not None:
        suffix = cache_suffix(plan.latents.config)
        assert suffix is not None
        failed = plan.latents.counts["failed"]
        names = [
            cache_name(_stem(file), entry["image_size"][0], entry["image_size"][1], suffix)
            for file, entry in plan.entries.items()
            if _stem(file) not in failed
        ]
        lost += sorted(set(names) - written)
    if lost:
        raise UnpackError(
            f"{len(lost)} files of release {plan.release.name!r} are in no shard (first: {lost[0]})"
        )


def _extract(plan: Plan, images: Path, notes: Path, threads: int, seen: Seen) -> set[str]:
    lock, ended = threading.Lock(), threading.Event()

    def count(size: int) -> None:
        if ended.is_set():
            raise UnpackError("ended by what happened to another shard")
        with lock:
            seen(size)

    def one(shard: tuple[Manifest, str]) -> set[str]:
        manifest, path = shard
        make = _Images(plan) if manifest is plan.release else _Latents(plan)
        full = f"{manifest.root}/{path}"
        return extract(plan.store, full, manifest.files[path], images, notes, make, count)

    with ThreadPoolExecutor(threads) as pool:
        shards = [pool.submit(one, shard) for shard in plan.shards()]
        try:
            wait(shards, return_when=FIRST_EXCEPTION)
            for failed in (shard for shard in shards if shard.done() and shard.exception()):
                failed.result()
            return {name for shard in shards for name in shard.result()}
        except BaseException:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Images:
    """The images among the members of a shard; any other member is an error."""

    def __init__(self, plan: Plan) -> None:
        self._entries = plan.entries
        self._revoked = {_stem(file) for file in plan.revoked}

    def __call__(self, members: Iterable[Member]) -> Iterator[Made]:
        for name, data in members:
            if _stem(name) in self._revoked:
                continue
            if name in self._entries:
                yield name, data
            elif not name.endswith((".json", ".txt")):
                raise UnpackError(f"{name!r} of a shard is not in the release's table")


class _Latents:
    """Cached latents of the members of a shard of latents."""

    def __init__(self, plan: Plan) -> None:
        assert plan.latents is not None
        self._config = plan.latents.config
        self._revoked = {_stem(file) for file in plan.revoked}
        self._stems = {_stem(file): entry["image_size"] for file, entry in plan.entries.items()}

    def __call__(self, members: Iterable[Member]) -> Iterator[Made]:
        latents: dict[str, np.ndarray] = {}
        for name, data in members:
            stem, _, kind = name.partition(".")
            if stem in self._revoked:
                continue
            if stem not in self._stems:
                raise UnpackError(f"{name!r} of a shard of latents is not in the release's table")
            if kind == "latent.npy":
                latents = {stem: read_npy(data)}
            elif kind == "json":
                yield self._cached(stem, latents[stem], json.loads(data))

    def _cached(self, stem: str, latent: np.ndarray, meta: dict[str, Any]) -> Made:
        (width, height), bucket = self._stems[stem], meta["bucket"]
        factor = self._config["factor"]
        shape = (self._config["channels"], bucket[1] // factor, bucket[0] // factor)
        if latent.shape != shape or meta["original_size"] != [width, height]:
            raise UnpackError(
                f"the latent of {stem} has the shape {latent.shape} for an original of "
                f"{meta['original_size']}; expected {shape} for {[width, height]}"
            )
        suffix = cache_suffix(self._config)
        assert suffix is not None
        data = cache_bytes(latent, (width, height), (bucket[0], bucket[1]))
        return cache_name(stem, width, height, suffix), data


@contextmanager
def _claimed(plan: Plan, folder: Path) -> Iterator[None]:
    """Hold the folder for this process, if it is new or of the same content."""
    notes = folder / NOTES
    if folder.is_dir() and any(folder.iterdir()) and not notes.is_dir():
        raise UnpackError(f"{folder} holds other files: name a new folder")
    notes.mkdir(parents=True, exist_ok=True)
    with (notes / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UnpackError(f"another unpack is at work in {folder}: wait for its end") from None
        label = notes / "content.json"
        wanted = {
            "release": plan.release.digest,
            "split": plan.split,
            "latents": plan.latents.digest if plan.latents else None,
        }
        held = json.loads(label.read_bytes()) if label.is_file() else wanted
        for gone in plan.withdrawn:
            if held["release"] == gone.digest:
                raise UnpackError(
                    f"{folder} holds images of {gone.name!r}, of which some are revoked: {gone}; "
                    "delete that folder, or name a new one"
                )
        if held != wanted and held != wanted | {"latents": None}:
            raise UnpackError(
                f"{folder} holds the split {held['split']} of release {held['release'][:16]} "
                f"with latents {str(held['latents'])[:16]}: name a new folder"
            )
        replace(label, json.dumps(wanted, sort_keys=True).encode())
        yield


def _stem(file: str) -> str:
    return file.partition(".")[0]
