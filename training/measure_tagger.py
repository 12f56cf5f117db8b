"""How well probabilities rank the pictures that have a tag."""

import numpy as np

FEWEST = 5  # pictures that have a tag, below which its average precision says little
FLOORS = (0.1, 0.2, 0.35, 0.5)


def average_precision(p: np.ndarray, truth: np.ndarray) -> float:
    """The mean, over the pictures [n] that have the tag, of the precision at their rank.

    Equal p are ranked by their position.
    """
    order = np.argsort(-p, kind="stable")
    hits = truth[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def each_precision(p: np.ndarray, truth: np.ndarray, fewest: int = FEWEST) -> dict[int, float]:
    """Average precision by column of [n, tags], of tags that `fewest` pictures have."""
    measured = np.flatnonzero(truth.sum(0) >= fewest)
    return {int(tag): average_precision(p[:, tag], truth[:, tag]) for tag in measured}


def mean_average_precision(p: np.ndarray, truth: np.ndarray, fewest: int = FEWEST) -> float:
    """The mean of `each_precision`."""
    return float(np.mean(list(each_precision(p, truth, fewest).values())))


def figures(p: np.ndarray, truth: np.ndarray, names: list[str]) -> dict:
    """Of probabilities [n, tags] and which tags the pictures have."""
    each = each_precision(p, truth)
    ranked = sorted(each, key=lambda tag: -each[tag])
    floors = {}
    for floor in FLOORS:
        kept = p >= floor
        floors[str(floor)] = {
            "precision": float(truth[kept].mean()),
            "recall": float(kept[truth].mean()),
            "tags a picture": float(kept.sum(1).mean()),
        }
    return {
        "pictures": len(p),
        "tags": len(names),
        "tags measured": len(each),
        "mAP": mean_average_precision(p, truth),
        "mAP by chance": float(truth[:, list(each)].mean()),
        "mAP of tags with one picture": mean_average_precision(p, truth, 1),
        "best": {names[tag]: each[tag] for tag in ranked[:8]},
        "worst": {names[tag]: each[tag] for tag in ranked[-8:]},
        "floors": floors,
    }


def table(found: dict) -> str:
    """The card's section, as Markdown."""

    def listed(tags: dict[str, float]) -> str:
        return ", ".join(f"`{name}` {value:.2f}" for name, value in tags.items())

    lines = [
        f"{found['pictures']} pictures of unseen creators. **mAP {found['mAP']:.3f}** over the "
        f"{found['tags measured']} tags that {FEWEST} or more of them have (chance "
        f"{found['mAP by chance']:.3f}), {found['mAP of tags with one picture']:.3f} over all that "
        "any of them has. Keywords are incomplete, so precision is a lower bound:",
        "",
        "| p at least | precision | recall | tags a picture |",
        "|---|---|---|---|",
        *(
            f"| {floor} | {one['precision']:.2f} | {one['recall']:.2f} "
            f"| {one['tags a picture']:.1f} |"
            for floor, one in found["floors"].items()
        ),
        "",
        f"Best: {listed(found['best'])}. Worst: {listed(found['worst'])}.",
    ]
    return "\n".join(lines)
