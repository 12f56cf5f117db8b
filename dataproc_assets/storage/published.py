"""What is published below manifests, as stages see it: its state, and what it was made from."""

import json
from typing import Any

from dataproc_assets.storage import layout
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import present_name, read_withdrawn

FOLDERS = {
    "release": layout.release_path,
    "latents": layout.latents_path,
    "denoiser": layout.denoiser_path,
}


def published_manifest(store: ObjectStore, stage: str, release: str) -> dict[str, Any] | None:
    """The manifest of a release, its latents or its denoiser; None where there is none.

    Of a release that was withdrawn it is that of the one in its place.
    """
    folder = FOLDERS[stage](present_name(store, release))
    try:
        return json.loads(store.get(f"{folder}/manifest.json"))
    except FileNotFoundError:
        return None


def published_state(store: ObjectStore, stage: str, release: str) -> str:
    """What stands for the content, whatever a bucket calls the versions of its files.

    Empty where nothing is published.
    """
    manifest = published_manifest(store, stage, release)
    if manifest is None:
        gone = read_withdrawn(store, release) if stage == "release" else None
        return gone.digest if gone else ""
    for entry in manifest["files"].values():
        entry.pop("version", None)
    return json_digest(manifest)
