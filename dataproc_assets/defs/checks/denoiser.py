"""Checks of a release's denoiser: its files are whole, and the true prompts help it."""

from typing import Any

from dataproc_assets.defs.stage import Check
from dataproc_assets.release.manifest import read_manifest, verify_folder
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import denoiser_path
from dataproc_assets.storage.withdrawn import present_name

Outcome = tuple[bool, dict[str, Any]]


def _whole(lake: Lake, name: str | None) -> Outcome:
    problems = verify_folder(lake.store, _path(lake, name))
    return not problems, {"problems": problems[:20]}


def _path(lake: Lake, name: str | None) -> str:
    return denoiser_path(present_name(lake.store, name or ""))


def _prompts_help(lake: Lake, name: str | None) -> Outcome:
    config = lake.project.releases[name or ""].denoiser
    manifest = read_manifest(lake.store, _path(lake, name))
    assert config is not None and manifest is not None
    gain = manifest.counts["over_shuffled"]
    shown = {**gain, "p": manifest.counts["p"], "images": manifest.counts["images"]}
    return gain["mean"] > 0 and gain["z"] >= config.z_min, shown


DENOISER = (
    Check("whole", "Weights, losses and pictures are those that the manifest names.", _whole),
    Check(
        "prompts_help",
        "On what it never saw, the model loses less with the true prompts than with shuffled ones.",
        _prompts_help,
    ),
)
