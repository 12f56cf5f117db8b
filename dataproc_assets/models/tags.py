"""Readings of a tagger: the tags of a picture with their probabilities, and its ratings."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.config.metrics import Tagger
from dataproc_assets.models.columns import TAGS
from dataproc_assets.models.outputs import sigmoid
from dataproc_assets.models.selected_tags import RATING, read_selected_tags
from dataproc_assets.models.weights import WeightsError


class TagReading:
    """A picture's tags and the probability of each of its ratings, from a network's outputs.

    Tags are those whose p is at least their category's floor, by p descending, then by tag.

    `outputs` is how many the vocabulary has.
    """

    def __init__(self, metric: Tagger, where: str) -> None:
        tags, categories = read_selected_tags(metric.selected_tags, f"{where}: selected_tags")
        self.outputs = len(tags)
        self._metric = metric
        kinds = np.array(categories)
        self._rated = {tags[index]: index for index in np.flatnonzero(kinds == RATING)}
        self._named = np.flatnonzero(kinds != RATING)
        _check_ratings(metric.ratings, list(self._rated), where)
        self._vocabulary = _Vocabulary(
            [tags[index] for index in self._named],
            [categories[index] for index in self._named],
            metric.floors,
            f"{metric.name}_tags",
            where,
        )

    def __call__(self, outputs: np.ndarray) -> pl.DataFrame:
        """The metric's columns of float32 [n, outputs]."""
        logits = self._metric.output == "logits"
        exact = sigmoid(outputs) if logits else outputs.astype(np.float64)
        p = exact.round(self._metric.decimals).astype(np.float32)
        ratings = {
            f"{self._metric.name}_rating_{name}": p[:, self._rated[name]]
            for name in self._metric.ratings
        }
        return pl.DataFrame([self._vocabulary.lists(p[:, self._named])]).with_columns(
            pl.Series(name, values) for name, values in ratings.items()
        )


def _check_ratings(asked: Sequence[str], there: Sequence[str], where: str) -> None:
    """Raise WeightsError unless all the ratings that there are, or none, are asked for."""
    if not asked or set(asked) == set(there):
        return
    wrong = next((name for name in asked if name not in there), None)
    near = difflib.get_close_matches(wrong, there, n=1) if wrong else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise WeightsError(
        f"{where}: ratings is {', '.join(asked)}, selected_tags has "
        f"{', '.join(there) or 'no row of category 9'}{hint}; name all of them, or none"
    )


class _Vocabulary:
    """The tags of a model's outputs, in order, and the least p of each that is written down.

    Raises:
        WeightsError: a category has no floor.
    """

    def __init__(
        self,
        tags: list[str],
        categories: list[str],
        floors: Mapping[Any, float | None],
        column: str,
        where: str,
    ) -> None:
        missing = sorted(set(categories) - floors.keys())
        if missing:
            raise WeightsError(
                f"{where}: floors lacks {', '.join(missing)}; add the least p to keep, or null to "
                "leave all of it out"
            )
        floor = {name: np.inf if least is None else least for name, least in floors.items()}
        self._floors = np.array([floor[category] for category in categories], np.float32)
        self._tags = pl.Series(tags, dtype=pl.String)
        self._categories = pl.Series(categories, dtype=pl.String)
        self._column = column

    def lists(self, p: np.ndarray) -> pl.Series:
        """A row of tags for each row of p [n, tags], by p descending, then by tag."""
        row, tag = np.nonzero(p >= self._floors)
        found = (
            pl.DataFrame({"row": row, "index": tag, "p": p[row, tag]})
            .with_columns(tag=self._tags.gather(tag), category=self._categories.gather(tag))
            .sort("row", "p", "tag", descending=[False, True, False])
            .group_by("row", maintain_order=True)
            .agg(pl.struct("tag", "category", "p").alias(self._column))
        )
        rows = pl.DataFrame({"row": np.arange(len(p))})
        joined = rows.join(found, on="row", how="left", maintain_order="left")
        return joined[self._column].fill_null(pl.Series([[]], dtype=TAGS))
