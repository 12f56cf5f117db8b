"""The published releases: their funnel, their files, and latents beside their originals."""

from typing import Any

import polars as pl

from dataproc_assets.gallery.cards import Card, drawn
from dataproc_assets.gallery.pictures import PREVIEWS, is_digest, picture_path
from dataproc_assets.gallery.view import Page, View

# Counts of a manifest that name no person: an artist may have opted out since.
COUNTED = ("splits", "sources", "ratings", "tiers", "years")


def releases_page(view: View) -> Page:
    """`release.html`."""
    latents, _ = _latents(view)
    values = {
        "releases": [_release(view, manifest) for manifest in view.everything.releases],
        "latents": latents,
        "previews": view.shown.previews.height,
    }
    return Page("release.html", "Releases", "release", values, "release.html")


def preview_files(view: View) -> dict[str, bytes]:
    """The decoded latents that the page shows, by path."""
    return _latents(view)[1]


def _release(view: View, manifest: dict[str, Any]) -> dict[str, Any]:
    counts = manifest.get("counts") or {}
    files = sorted((manifest.get("files") or {}).items())
    return {
        "name": str(manifest.get("name") or "unnamed"),
        "title": str((manifest.get("config") or {}).get("title") or ""),
        "digest": str(manifest.get("digest") or ""),
        "code_version": str(manifest.get("code_version") or ""),
        "numbers": [
            (name, counts[name]) for name in ("images", "prompts", "bytes") if name in counts
        ],
        "funnel": counts.get("funnel") or [],
        "tables": [(name, counts[name]) for name in COUNTED if counts.get(name)],
        "files": files[: view.config.files],
        "more_files": max(len(files) - view.config.files, 0),
        "bytes": sum(entry["size"] for _, entry in files),
    }


def _latents(view: View) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Original, preview and PSNR (dB), the worst first; and the previews' files."""
    rows = view.shown.previews.filter(pl.col("preview").is_not_null())
    sample = drawn(rows, "sha256", view.config).head(view.config.previews)
    keys = view.shown.augmented.select("image_key", sha256="pixels_sha256").unique(
        "sha256", keep="first", maintain_order=True
    )
    shown = sample.join(keys, on="sha256").sort("psnr", "sha256", nulls_last=True)
    cards: dict[str, Card] = view.cards.of(shown["image_key"])
    entries, files = [], {}
    for row in shown.iter_rows(named=True):
        if row["image_key"] in cards and is_digest(row["sha256"]):
            path = picture_path(PREVIEWS, row["sha256"])
            files[path] = row["preview"]
            entries.append({"card": cards[row["image_key"]], "path": path, "psnr": row["psnr"]})
    return entries, files
