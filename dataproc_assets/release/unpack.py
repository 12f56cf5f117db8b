"""A release as the folder that kohya's sd-scripts trains from."""

import json
import tarfile
from io import BytesIO
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from dataproc_assets.release.latent_checks import read_samples
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore


def unpack(store: ObjectStore, name: str, folder: Path, recipe: str) -> Path:
    """Write the images, their prompts, and the latents where there are any; returns the TOML.

    `images/` holds the images and, for each, `{id}_{W:04d}x{H:04d}_sdxl.npz` with `latents`
    (float32, unscaled), `original_size` and `crop_ltrb` (the window in pixels of the resized
    image); `metadata.json` has the prompts by the images' absolute paths; `dataset.toml` is for
    `--dataset_config`, with the buckets that the latents were made for.

    Raises:
        FileNotFoundError: the release is not published.
        ValueError: it has no tars, or no metadata of this recipe.
    """
    manifest = read_manifest(store, release_path(name))
    if manifest is None:
        raise FileNotFoundError(f"{store.uri(release_path(name))}: {name!r} is not published")
    source = f"sd_scripts/{recipe}.json"
    shards = [path for path in manifest.files if path.endswith(".tar")]
    if source not in manifest.files or not shards:
        raise ValueError(
            f"release {name!r} has no {source} or no tars; name a recipe of "
            f"{manifest.config['recipes']}, or publish with the formats webdataset and sd_scripts"
        )
    images = folder.resolve() / "images"
    images.mkdir(parents=True, exist_ok=True)
    for path in shards:
        _unpack_images(store.get(f"{manifest.root}/{path}"), images)
    entries = json.loads(store.get(f"{manifest.root}/{source}"))
    absolute = {str(images / file): entry for file, entry in entries.items()}
    metadata = folder.resolve() / "metadata.json"
    metadata.write_text(json.dumps(absolute, ensure_ascii=False, indent=0), encoding="utf-8")
    latents = read_manifest(store, latents_path(name))
    if latents is not None:
        _unpack_latents(store, latents, images)
    toml = folder.resolve() / "dataset.toml"
    toml.write_text(_toml(images, metadata, latents.config if latents else None), encoding="utf-8")
    return toml


def _unpack_images(data: bytes, images: Path) -> None:
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        for member in archive:
            if not member.name.endswith((".json", ".txt")):
                archive.extract(member, images, filter="data")


def _unpack_latents(store: ObjectStore, latents: Manifest, images: Path) -> None:
    for path in latents.files:
        if not path.endswith(".tar"):
            continue
        for image_id, latent, meta in read_samples(store, f"{latents.root}/{path}"):
            width, height = meta["original_size"]
            np.savez(
                images / f"{image_id}_{width:04d}x{height:04d}_sdxl.npz",
                latents=latent.astype(np.float32),
                original_size=np.array(meta["original_size"]),
                crop_ltrb=np.array(meta["crop_ltrb"]),
            )


def _toml(images: Path, metadata: Path, latents: dict[str, Any] | None) -> str:
    lines = ["[[datasets]]", "enable_bucket = true"]
    if latents:
        buckets = latents["buckets"]
        step = buckets["step"]
        tiles = buckets["pixels"] // step**2
        side = isqrt(tiles)
        # sd-scripts only uses the area of a resolution that is no square.
        shape = [side * step, side * step] if side**2 == tiles else [step, tiles * step]
        lines += [
            f"resolution = {shape}",
            f"bucket_reso_steps = {step}",
            f"min_bucket_reso = {buckets['min_side']}",
            f"max_bucket_reso = {buckets['max_side']}",
        ]
    lines += ["", "[[datasets.subsets]]"]
    lines += [f"image_dir = {json.dumps(str(images))}"]
    lines += [f"metadata_file = {json.dumps(str(metadata))}"]
    return "\n".join(lines) + "\n"
