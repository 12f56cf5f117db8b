"""One unit on its way through the models: batches in, one part a metric out."""

import time
from collections import Counter, defaultdict

import polars as pl

from dataproc_assets.config.passes import PassConfig, part_fingerprint
from dataproc_assets.jobs.parts import NOT_FINITE, PartRows, write_part
from dataproc_assets.jobs.prepare import Prepared
from dataproc_assets.models.base import Model
from dataproc_assets.models.load import Pass
from dataproc_assets.storage.layout import part_path
from dataproc_assets.storage.objects import ObjectStore


def unit_part(config: PassConfig, metric: str, unit: str) -> str:
    """The path of a metric's part of a unit."""
    configs = {candidate.name: candidate for candidate in config.metrics}
    fingerprint = part_fingerprint(configs[metric], config.decode)
    return part_path(metric, fingerprint, config.source, unit)


class UnitRun:
    """Collects the prepared images of a unit, runs the models on full batches, writes parts."""

    def __init__(self, unit: str, models: dict[str, Model]) -> None:
        self.unit = unit
        self.errors: Counter[str] = Counter()
        self._models = models
        self._parts: dict[str, PartRows] = {}
        self._waiting: dict[Pass, list[Prepared]] = defaultdict(list)
        self._seconds = dict.fromkeys(("read", "decode", "model"), 0.0)
        self._start = time.monotonic()

    def add(self, image: Prepared) -> None:
        """Take an image in; a full batch of its models is run."""
        for metric in image.request.metrics:
            self._part(metric).add(image)
        self._seconds["read"] += image.seconds_read
        self._seconds["decode"] += image.seconds_decode
        if image.status == "ok":
            models = image.request.models
            self._waiting[models].append(image)
            if len(self._waiting[models]) == models.batch_size:
                self._run(models)

    def write(self, store: ObjectStore, config: PassConfig) -> int:
        """Run what waits and write the parts; how many there are.

        `errors` counts then, by kind, the rows for which a model gave no value.
        """
        for models in self._waiting:
            self._run(models)
        asked = {metric: len(rows.rows) for metric, rows in sorted(self._parts.items())}
        wall = time.monotonic() - self._start
        for metric, rows in self._parts.items():
            frame = rows.frame()
            self.errors["not_finite"] += frame.filter(pl.col("error") == NOT_FINITE).height
            about: dict[str, object] = {
                "metric": metric,
                "unit": self.unit,
                "source": config.source,
                "device": config.device,
                "seconds": self._seconds,  # of all threads; readers work side by side
                "wall_seconds": wall,
                "asked": asked,
            }
            write_part(store, unit_part(config, metric, self.unit), frame, about)
        return len(self._parts)

    def _part(self, metric: str) -> PartRows:
        return self._parts.setdefault(metric, PartRows(self._models[metric].columns))

    def _run(self, models: Pass) -> None:
        start = time.monotonic()
        images = self._waiting[models]
        keys = [image.request.image_key for image in images]
        for metric, values in models.forward([image.inputs for image in images]).items():
            self._part(metric).add_values(keys, values)
        images.clear()
        self._seconds["model"] += time.monotonic() - start
