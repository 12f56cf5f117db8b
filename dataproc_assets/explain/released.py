"""The published releases that hold an image, in which files of theirs."""

from typing import Any

import polars as pl

from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.release.select import train_table
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.lookup import rows_of
from dataproc_assets.storage.withdrawn import present_name

PLACE = ("image_id", "representative", "file_name", "split", "shard")


def released(lake: Lake, image_id: str | None, keys: list[str]) -> list[dict[str, Any]]:
    """One entry a release of the project: `release`, `published`, `holds`, and where, or `why` not.

    A release holds an image where it has its id, or any of the cluster's `keys` stood for one of
    its images, which then may have had another id.
    """
    return [_of_release(lake, name, image_id, keys) for name in sorted(lake.project.releases)]


def _of_release(lake: Lake, name: str, image_id: str | None, keys: list[str]) -> dict[str, Any]:
    place = present_name(lake.store, name)
    manifest = read_manifest(lake.store, release_path(place))
    if manifest is None:
        return {"release": name, "published": False, "holds": False}
    mine = pl.col("representative").is_in(keys)
    if image_id:
        mine = mine | (pl.col("image_id") == image_id)
    places = _rows(lake, manifest, mine, PLACE)
    ids = [row["image_id"] for row in places]
    latents = read_manifest(lake.store, latents_path(place))
    shards = _rows(lake, latents, pl.col("image_id").is_in(ids), ("shard",)) if latents else []
    told = {"release": place, "published": True, "holds": bool(places)}
    if places:
        return {**told, "images": places, "latents": [row["shard"] for row in shards]}
    return {**told, "why": _why(lake, lake.project.releases[name], image_id)}


def _why(lake: Lake, config: ReleaseConfig, image_id: str | None) -> str:
    """The step of the funnel that takes the image away, as the tables and the YAML now are."""
    images = rows_of(lake.store, lake.path("images"), [image_id] if image_id else [])
    if images.is_empty():
        return "it is no image"
    recipes = [(recipe, lake.path("sanitized", recipe)) for recipe in config.recipes]
    sanitized = {recipe: rows_of(lake.store, path, [image_id or ""]) for recipe, path in recipes}
    selection = train_table(_with_scores(lake, images, config), sanitized, config)
    for step in selection.funnel:
        if step.after < step.before:
            return f"it is taken away by the step '{step.name}'"
    caps = config.caps.model_dump(exclude_none=True)
    full = f"a cap of {', '.join(caps)} was full, or " if caps else ""
    return f"{full}it was published before the image was as it is"


def _with_scores(lake: Lake, images: pl.DataFrame, config: ReleaseConfig) -> pl.DataFrame:
    """The image's row with the representative's scores that the release asks for."""
    asked = [name for name in config.select.scores if name not in images.columns]
    key = images["representative"][0]
    source = key.partition("/")[0]
    row = rows_of(lake.store, lake.path("augmented", source), [key])
    return images.with_columns(row[f"{source}__{name}"].alias(name) for name in asked)


def _rows(
    lake: Lake, manifest: Manifest, where: pl.Expr, columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Some columns of the rows of a manifest's tables, as far as a table has them."""
    found = []
    for path in sorted(manifest.files):
        if "/" not in path and path.endswith(".parquet"):
            table = pl.scan_parquet(lake.store.uri(f"{manifest.root}/{path}"))
            there = [name for name in columns if name in table.collect_schema()]
            found += table.filter(where).select(there).collect().to_dicts()
    return found
