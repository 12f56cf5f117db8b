"""What a person is shown of how the images were merged, counted a part at a time."""

import dagster as dg
import polars as pl

from dataproc_assets.defs.result import count_values, frame_metadata, values_metadata
from dataproc_assets.transforms.merge_report import disagreements, tag_counts, values_won

_SHOWN = {
    "ratings": ("rating", pl.col("rating")),
    "tiers": ("tier", pl.col("tier")),
    "sources_an_image": ("sources", pl.col("sources").list.len()),
}


class MergeCounts:
    """The counts of all parts that it was shown, and `examples` of images by how many members."""

    def __init__(self) -> None:
        self._values: dict[str, list[pl.DataFrame]] = {name: [] for name in _SHOWN}
        self._won: list[pl.DataFrame] = []
        self._differ: list[pl.DataFrame] = []
        self._tags: list[pl.DataFrame] = []
        self.examples: dict[str, str] = {}

    def look(self, images: pl.DataFrame) -> None:
        """Count the rows of one part."""
        for name, (_, value) in _SHOWN.items():
            self._values[name].append(count_values(images.lazy(), value))
        self._won.append(values_won(images))
        self._differ.append(disagreements(images))
        self._tags.append(tag_counts(images))
        sizes = images.select(pl.col("members").list.len(), "representative")
        first = sizes.unique("members", keep="first", maintain_order=True)
        self.examples = {
            **{f"of {size} members": key for size, key in first.rows()},
            **self.examples,
        }

    def metadata(self) -> dict[str, dg.MetadataValue]:
        """The sums as tables: ratings, tiers, whose values won, who did not agree, the tags."""
        shown = {
            name: values_metadata(self._values[name], column)
            for name, (column, _) in _SHOWN.items()
        }
        return {
            **shown,
            "values_won": _summed(self._won, ["field", "source"], "images"),
            "disagreements": _summed(self._differ, ["field"], "images"),
            "tags": _summed(self._tags, ["tags"], "rows"),
        }


def _summed(parts: list[pl.DataFrame], by: list[str], count: str) -> dg.MetadataValue:
    return frame_metadata(pl.concat(parts).group_by(by).agg(pl.col(count).sum()).sort(by))
