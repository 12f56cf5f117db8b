"""How well texts find their pictures, and how near copies and strangers are."""

from pathlib import Path

import numpy as np
import polars as pl
import polars_hash as plh
import torch

from training.seen import Models, embeddings, shown
from training.views import COPIES, VIEWS

SEARCHED, PROBED = 400, 100
PROPOSED = 0.97  # the cosine at which near-duplicate search proposes a pair


def searched(rows: pl.DataFrame, most: int | None = None) -> pl.DataFrame:
    """`row` (position in `rows`) and `caption`, of pictures with a title of their own.

    The caption is the title and the first four keywords. Of equal titles the first picture by
    path is taken, and of more than `most` pictures those with the least hash of their path.
    """
    named = (
        rows.with_row_index("row")
        .filter(pl.col("title").str.len_chars() > 3)
        .unique("title", keep="first", maintain_order=True)
    )
    parts = pl.concat_list(pl.concat_list("title"), pl.col("keywords").list.head(4))
    chosen = named.select("row", "path", caption=parts.list.join(", "))
    if most is not None:
        chosen = chosen.sort(plh.col("path").chash.sha2_256()).head(most).sort("row")
    return chosen.select("row", "caption")


def recall(texts: torch.Tensor, images: torch.Tensor, most: int) -> float:
    """The share of texts [n, d] whose own image [n, d] is among the `most` of greatest cosine."""
    cosines = texts @ images.T
    rank = (cosines > cosines.diagonal()[:, None]).sum(1)
    return float((rank < most).float().mean())


def recalls(texts: np.ndarray, images: np.ndarray) -> dict[str, float]:
    """Recall at 1, 5 and 10 of texts and their images, float32 [n, d]."""
    pair = torch.from_numpy(texts), torch.from_numpy(images)
    return {f"recall@{most}": recall(*pair, most) for most in (1, 5, 10)}


def nearness(models: Models, paths: list[Path]) -> dict:
    """Cosines of each picture to its altered copies, and of different pictures to each other."""
    pictures = [models.read(path) for path in paths]
    base = embeddings(models.look(pictures))
    copies = {}
    for view in COPIES[1:]:
        altered = (
            shown(picture, VIEWS[view](picture.image, path.name))
            for picture, path in zip(pictures, paths, strict=True)
        )
        cosine = (base * embeddings(models.look(altered))).sum(1)
        copies[view] = {
            "share": float((cosine >= PROPOSED).mean()),
            "lowest": float(cosine.min()),
        }
    between = (base @ base.T)[np.triu_indices(len(base), 1)]
    quantiles = np.percentile(between, [50, 95, 99])
    return {
        "pictures": len(paths),
        "copies": copies,
        "strangers": {
            "pairs": len(between),
            "at least 0.97": int((between >= PROPOSED).sum()),
            **{f"{q}%": float(v) for q, v in zip((50, 95, 99), quantiles, strict=True)},
        },
    }


def table(found: dict) -> str:
    """The card's section, as Markdown."""
    text, near = found["text to image"], found["nearness"]
    lines = [
        f"**Text to image**, {text['pictures']} pictures of unseen creators, each sought by its "
        "title and first four keywords:",
        "",
        "| | recall@1 | recall@5 | recall@10 |",
        "|---|---|---|---|",
        f"| model | {text['recall@1']:.3f} | {text['recall@5']:.3f} | {text['recall@10']:.3f} |",
        "| chance | " + " | ".join(f"{n / text['pictures']:.4f}" for n in (1, 5, 10)) + " |",
        "",
        f"**Copies** of {near['pictures']} pictures of unseen creators:",
        "",
        "| copy | at a cosine of 0.97 or more | lowest |",
        "|---|---|---|",
        *(
            f"| {view.replace('_', ', ')} | {one['share']:.0%} | {one['lowest']:.3f} |"
            for view, one in near["copies"].items()
        ),
        "",
        f"**Different pictures** of that set ({near['strangers']['pairs']:,} pairs): median cosine "
        f"{near['strangers']['50%']:.2f}, 95% below {near['strangers']['95%']:.2f}, 99% below "
        f"{near['strangers']['99%']:.2f}; {near['strangers']['at least 0.97']} pairs reach 0.97.",
    ]
    return "\n".join(lines)
