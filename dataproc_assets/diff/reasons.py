"""By what an image came into a release or left it: the setting that, put back, undoes it."""

from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from dataproc_assets.config.project import Project
from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.config.settings import Leaf, Settings, put, with_settings
from dataproc_assets.defs.release import selected
from dataproc_assets.diff.releases import Difference
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.what_if.engine import make, over

TOGETHER = "several settings together"
NEW = "new data"
GONE = "left the crawl"
TAKEDOWN = "takedown"


def reasons(lake: Lake, found: Difference, say: Callable[[str], None]) -> dict[str, list[str]]:
    """The reasons of each image that was added or removed, by image_id.

    The tables of today are judged by the settings of either release, and by those of the other
    release with one of them put back at a time: an image that this brings back to where it was
    changed by that setting. What no setting explains is data: an image that today's tables would
    have had in both is `new data`, one that they do not know `left the crawl`, or was taken down.
    """
    moved = {*found.added["image_id"], *found.removed["image_id"]}
    if not moved:
        return {}
    before = _held(lake, found.one, found.one.settings, found.one.config, say)
    after = _held(lake, found.other, found.other.settings, found.other.config, say)
    told: dict[str, list[str]] = {image: [] for image in moved}
    for path, old, new in found.settings:
        back = _put_back(found, path, old)
        if back is None:
            continue
        held = _held(lake, found.other, *back, say)
        for image in moved:
            if (image in before) != (image in after) and (image in held) == (image in before):
                told[image].append(f"{_name(path)} {_value(old)} -> {_value(new)}")
    return {image: by or _of_data(lake, image, found, before, after) for image, by in told.items()}


def _held(
    lake: Lake,
    manifest: Manifest,
    kept: Settings,
    config: dict[str, Any],
    say: Callable[[str], None],
) -> set[str]:
    """The images that a release of these settings would hold of today's tables."""
    project: Project = with_settings(lake.project, kept) if kept else lake.project
    asked = {**config, "latents": None}
    say(f"judging by the settings of {manifest.name} …")
    with over(lake, project) as changed_lake:
        make(changed_lake)
        return set(selected(changed_lake, ReleaseConfig.model_validate(asked)).table["image_id"])


def _put_back(found: Difference, path: Leaf, old: Any) -> tuple[Settings, dict[str, Any]] | None:
    """The settings and the config of the other release with one value put back; None for what
    only a digest is known of."""
    kind, *names = path
    kept, config = found.other.settings, found.other.config
    if kind == "config":
        return kept, put(config, tuple(names), old)
    if names[0] in ("metrics", "safety", "todo"):
        return None
    return put(kept, tuple(names), old), config


def _of_data(
    lake: Lake, image: str, found: Difference, before: set[str], after: set[str]
) -> list[str]:
    unknown = [
        _name(path) for path, *_ in found.settings if path[1] in ("metrics", "safety", "todo")
    ]
    if (image in before) != (image in after):
        return [TOGETHER]
    if image in set(found.removed["image_id"]) and image not in after:
        if _taken_down(lake, found, image):
            return [TAKEDOWN]
        known = lake.read("images").filter(pl.col("image_id") == image).collect()
        return [GONE] if known.is_empty() else [f"changed data{_of(unknown)}"]
    return [f"{NEW}{_of(unknown)}"]


def _of(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f", or {listed}" if listed else ""


def _taken_down(lake: Lake, found: Difference, image: str) -> bool:
    keys = found.removed.filter(pl.col("image_id") == image)["representative"]
    ledger = read_ledger(lake.store, "takedown")
    return ledger.filter(pl.col("value").is_in(keys.implode())).height > 0


def _name(path: Leaf) -> str:
    return ".".join(path[1:])


def _value(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
