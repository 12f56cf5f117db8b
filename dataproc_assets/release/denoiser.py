"""The denoiser of a release: weights, measured losses and drawn pictures below one manifest."""

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from dataproc_assets.config.denoiser import DenoiserConfig
from dataproc_assets.release.build import Build, clean
from dataproc_assets.release.denoiser_card import denoiser_card
from dataproc_assets.release.manifest import MANIFEST, Manifest
from dataproc_assets.release.proof import proof
from dataproc_assets.storage.digest import bytes_digest, frame_digest, json_digest
from dataproc_assets.storage.layout import (
    denoiser_path,
    done_path,
    drawn_path,
    losses_path,
    trained_path,
)
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.tables import ChangedFileError

WEIGHTS, LOSSES, DRAWN, CURVE = (
    *("model.safetensors", "losses.parquet"),
    *("drawn.parquet", "curve.parquet"),
)


def publish_denoiser(
    store: ObjectStore,
    name: str,
    config: DenoiserConfig,
    rows: pl.DataFrame,
    *,
    folder: str,
    units: Sequence[str],
    inputs: dict[str, str],
    code_version: str,
) -> Manifest:
    """Put together what the folds gave, below `denoisers/{name}`.

    It takes the place of the one that was there, which stays whole until the manifest is
    replaced. The same folds give the same bytes.

    Args:
        name: the release.
        rows: what `folded` gave.
        folder: of the folds' parts.
        units: their names, in the order of the folds; the first one's model is kept.
        inputs: the states of what it is made of.

    Raises:
        FileNotFoundError: a fold has not been trained.
        ChangedFileError: a part was changed since it was written.
    """
    marks = [_mark(store, folder, unit) for unit in units]
    found = [
        from_parquet(_part(store, losses_path(folder, unit), mark))
        for unit, mark in zip(units, marks, strict=True)
    ]
    about = rows.select("image_id", "split", "family", "fold")
    losses = pl.concat(found).join(about, on="image_id", validate="1:1").sort("image_id")
    curve = pl.DataFrame(marks[0]["curve"], schema=["step", "loss"], orient="row")
    weights = _part(store, trained_path(folder, units[0]), marks[0])
    drawn = from_parquet(_part(store, drawn_path(folder, units[0]), marks[0]))
    counts = {**proof(losses), "seen": marks[0]["seen"], "unseen": marks[0]["unseen"]}
    values = config.model_dump(mode="json")
    digest = json_digest([values, frame_digest(about), [mark["digests"] for mark in marks]])
    build = Build(store, denoiser_path(name), digest, code_version)
    build.write(WEIGHTS, weights)
    build.write(LOSSES, to_parquet(losses), losses.height)
    build.write(DRAWN, to_parquet(drawn), drawn.height)
    build.write(CURVE, to_parquet(curve), curve.height)
    build.write("README.md", denoiser_card(name, config, counts).encode())
    manifest = build.manifest(name, values, inputs=inputs, counts=counts)
    store.put(f"{build.folder}/{MANIFEST}", manifest.to_json())
    clean(store, build.folder)
    return manifest


def _mark(store: ObjectStore, folder: str, unit: str) -> dict[str, Any]:
    return json.loads(store.get(done_path(losses_path(folder, unit))))


def _part(store: ObjectStore, path: str, mark: dict[str, Any]) -> bytes:
    data = store.get(path)
    if bytes_digest(data) != mark["digests"].get(path):
        raise ChangedFileError(
            f"{store.uri(path)}: was changed since it was written; delete it and the .json of its "
            "fold, then run the denoiser of the release again"
        )
    return data
