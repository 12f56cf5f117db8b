"""How many latents each bucket has, as a table that a person reads."""

from typing import Any

WIDTH = 24  # of the longest bar, in characters


def bucket_table(counts: dict[str, Any]) -> str:
    """Markdown of a latents manifest's `counts`: a bar for each bucket, from narrow to wide.

    A small bucket is marked: a trainer that fills batches from one bucket alone gives its images
    in batches that are not full, or not at all.
    """
    buckets = sorted(counts["buckets"].items(), key=lambda item: _shape(item[0]))
    most = max((images for _, images in buckets), default=0)
    small = set(counts["small_buckets"])
    rows = ["| bucket | images | | |", "|---|---:|---|---|"]
    for name, images in buckets:
        bar = "█" * max(1, images * WIDTH // most)
        rows.append(f"| {name} | {images} | {bar} | {'small' if name in small else ''} |")
    return "\n".join(rows)


def _shape(name: str) -> tuple[float, int]:
    """Aspect ratio, then width."""
    width, height = map(int, name.split("x"))
    return width / height, width
