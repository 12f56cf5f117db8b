"""What the releases' denoisers measured and drew: a loss curve, and pictures beside originals."""

from typing import Any

import polars as pl

from dataproc_assets.gallery.cards import shorten
from dataproc_assets.gallery.pictures import is_digest
from dataproc_assets.gallery.view import Page, View

DRAWN = "drawn"
WIDTH, HEIGHT = 960, 280  # of the curve's drawing
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 24, 40  # its margins
LINES = 4  # of the grid


def samples_page(view: View) -> Page:
    """`samples.html`."""
    pictures, _ = _pictures(view)
    values = {
        "denoisers": [
            {
                **denoiser,
                "chart": draw_curve(denoiser["curve"], denoiser["held_out_loss"]),
                "pictures": pictures.get(denoiser["name"], []),
            }
            for denoiser in view.everything.denoisers
        ]
    }
    return Page("samples.html", "Samples", "samples", values, "samples.html")


def drawn_files(view: View) -> dict[str, bytes]:
    """The drawn pictures that the page shows, by path."""
    return _pictures(view)[1]


def draw_curve(curve: list[tuple[int, float]], held_out: float) -> dict[str, Any]:
    """Where the lines of a loss curve lie, in a drawing of WIDTH by HEIGHT.

    Args:
        curve: the mean loss up to a step, by step.
        held_out: the loss on images that were not trained on, a line across.

    Returns the drawing's size and margins, the curve's `points`, where the held-out loss lies, and
    ticks of both axes.
    """
    last = max((step for step, _ in curve), default=1)
    most = max([loss for _, loss in curve] + [held_out]) * 1.05 or 1.0

    def across(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / last, 1)

    def down(loss: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * loss / most, 1)

    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "bottom": HEIGHT - BOTTOM,
        "points": " ".join(f"{across(step)},{down(loss)}" for step, loss in curve),
        "held_out": down(held_out),
        "losses": [
            {"y": down(most * line / LINES), "text": f"{most * line / LINES:.2f}"}
            for line in range(LINES + 1)
        ],
        "steps": [
            {"x": across(last * line / LINES), "text": str(round(last * line / LINES))}
            for line in range(LINES + 1)
        ],
    }


def _pictures(view: View) -> tuple[dict[str, list[dict[str, Any]]], dict[str, bytes]]:
    """By release, the original's card, its prompt and the drawn ones; and their files.

    A drawing is named by the digest of the original whose prompt it follows, and goes with it.
    """
    known = view.shown.images.select("image_id", "representative", "sha256")
    rows = view.shown.drawn.join(known, on="image_id", how="inner", maintain_order="left")
    cards = view.cards.of(rows["representative"])
    found: dict[str, list[dict[str, Any]]] = {}
    files: dict[str, bytes] = {}
    groups = rows.group_by("release", "image_id", maintain_order=True)
    for (release, _), part in groups:
        first = part.row(0, named=True)
        if first["representative"] not in cards or not is_digest(first["sha256"]):
            continue
        drawings = []
        for place, row in enumerate(part.sort("guidance").iter_rows(named=True)):
            path = _path(str(release), first["sha256"], place)
            files[path] = row["picture"]
            drawings.append({"path": path, "told": _told(row["guidance"])})
        found.setdefault(str(release), []).append(
            {
                "card": cards[first["representative"]],
                "prompt": shorten(first["prompt"], view.config.text_chars),
                "drawings": drawings,
            }
        )
    return found, files


def _path(release: str, sha256: str, place: int) -> str:
    return f"{DRAWN}/{release}/{sha256[:2]}/{sha256}.{place}.webp"


def _told(guidance: float) -> str:
    if guidance == 0:
        return "no prompt"
    return "prompt" if guidance == 1 else f"prompt × {guidance:g}"


def denoiser_figures(manifest: dict[str, Any], curve: pl.DataFrame) -> dict[str, Any]:
    """What the page tells of a denoiser, of its manifest and its loss curve (step, loss)."""
    counts = manifest["counts"]
    return {
        "name": manifest["name"],
        "digest": manifest["digest"],
        "config": manifest["config"],
        "counts": counts,
        "curve": curve.select("step", "loss").rows(),
        "held_out_loss": counts["folds"][0]["none"],
    }
