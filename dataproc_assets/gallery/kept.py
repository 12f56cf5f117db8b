"""The images that a recipe keeps, with the prompt of each recipe."""

from typing import Any

import polars as pl

from dataproc_assets.gallery.cards import drawn, shorten
from dataproc_assets.gallery.view import Page, View


def image_pages(view: View) -> list[Page]:
    """`images.html`, `images-2.html`, …: at least one page."""
    config = view.config
    kept = _kept(view)
    shown = drawn(kept, "image_id", config).head(config.images).sort("image_id")
    prompts = _prompts(view, shown["image_id"])
    size = config.page_size
    count = max(-(-shown.height // size), 1)
    files = ["images.html", *[f"images-{number}.html" for number in range(2, count + 1)]]
    pages = []
    for index, file in enumerate(files):
        rows = shown.slice(index * size, size)
        values = {
            "images": _entries(view, rows, prompts),
            "total": kept.height,
            "shown": shown.height,
            "files": files,
            "number": index + 1,
        }
        title = "Images" if count == 1 else f"Images, page {index + 1} of {count}"
        pages.append(Page(file, title, "images", values, "images.html"))
    return pages


def _kept(view: View) -> pl.DataFrame:
    """The images that may be shown and that at least one recipe keeps."""
    ids = [frame.filter("keep").select("image_id") for frame in view.shown.sanitized.values()]
    images = view.shown.images
    kept = pl.concat([images.clear().select("image_id"), *ids])
    return images.join(kept, on="image_id", how="semi", maintain_order="left")


def _prompts(view: View, ids: pl.Series) -> dict[str, list[dict[str, Any]]]:
    """By image, one entry a recipe: its first variant's prompt and the number of variants."""
    found: dict[str, list[dict[str, Any]]] = {image_id: [] for image_id in ids}
    for recipe, frame in view.shown.sanitized.items():
        rows = frame.filter(pl.col("image_id").is_in(ids.to_list()))
        first = rows.group_by("image_id", maintain_order=True).agg(
            pl.col("prompt", "tokens", "keep", "drop_reason").first(), variants=pl.len()
        )
        for row in first.iter_rows(named=True):
            prompt = shorten(row["prompt"], view.config.text_chars)
            found[row["image_id"]].append({**row, "recipe": recipe, "prompt": prompt})
    return found


def _entries(
    view: View, rows: pl.DataFrame, prompts: dict[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    cards = view.cards.of(rows["representative"].drop_nulls())
    return [
        {
            "image_id": row["image_id"],
            "card": cards[row["representative"]],
            "title": shorten(row["title"], view.config.text_chars) or row["representative"],
            "sources": row["sources"] or [],
            "members": len(row["members"] or []),
            "caption": shorten(row["caption"], view.config.text_chars),
            "tags": [tag for tag in row["tags"] or [] if tag][: view.config.tags],
            "prompts": prompts[row["image_id"]],
        }
        for row in rows.iter_rows(named=True)
        if row["representative"] in cards
    ]
