"""The metric pass: every image of the unit files is read and decoded once for all its metrics.

Run as `python -m dataproc_assets.jobs.metric_pass --base DIR`; the folders below DIR are those of
SageMaker Processing (see `host`). Unit files `{unit}.todo.parquet` hold image_key, version, uri,
offset, length and metrics, the list of metrics that the image lacks.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from dataproc_assets.config.passes import PassConfig
from dataproc_assets.jobs.host import run_worker, shared_units
from dataproc_assets.jobs.parts import is_done
from dataproc_assets.jobs.pool import OrderedPool
from dataproc_assets.jobs.prepare import Preparer, Request
from dataproc_assets.jobs.progress import ProgressFile
from dataproc_assets.jobs.read import OutageWatch
from dataproc_assets.jobs.unit import UnitRun, unit_part
from dataproc_assets.models.base import Model
from dataproc_assets.models.load import Pass, load_model
from dataproc_assets.storage.objects import open_store


class MetricPass:
    """One worker's share of a pass."""

    def __init__(
        self, config: PassConfig, units: dict[str, Path], outputs: Path, rank: int
    ) -> None:
        self.config = config
        self.units = units
        self.store = open_store(config.storage)
        self.progress = ProgressFile(outputs, rank, sum(map(_rows, units.values())))
        self._passes: dict[tuple[str, ...], Pass] = {}

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models by metric; loaded when a unit lacks something, so never for nothing."""
        config = self.config
        return {
            metric.name: load_model(metric, config.device, config.threads, compiled=config.compile)
            for metric in config.metrics
        }

    def run(self) -> None:
        """Write a part for every unit and metric that has none.

        Raises:
            StorageOutageError: too many images in a row could not be read.
        """
        preparer, outage = Preparer(self.config), OutageWatch(self.config.read)
        largest = max(metric.batch_size for metric in self.config.metrics)
        pool = OrderedPool(
            preparer.prepare,
            preparer.too_slow,
            threads=self.config.readers,
            ahead=2 * largest + self.config.readers,
        )
        images = pool.map(request for unit in self.units for request in self._requests(unit))
        run: UnitRun | None = None
        for image in images:
            run = run or UnitRun(image.request.unit, self.models)
            run.add(image)
            self.progress.add(image.error)
            outage.see(image.status, image.request.uri, image.error)
            if image.request.is_last:
                self.progress.parts += run.write(self.store, self.config)
                self.progress.errors += run.errors
                self.progress.write()
                run = None
        self.progress.write()

    def _requests(self, unit: str) -> Iterator[Request]:
        """The images of a unit that lack a metric whose part is not done, by image_key."""
        frame = pl.read_parquet(self.units[unit]).sort("image_key")
        wanted = set(frame["metrics"].explode().drop_nulls())
        if unknown := sorted(wanted - {metric.name for metric in self.config.metrics}):
            raise ValueError(
                f"{self.units[unit].name} asks for {', '.join(unknown)}, which the pass is not "
                "configured for; make `todo` again and start the pass from it"
            )
        parts = {metric: unit_part(self.config, metric, unit) for metric in sorted(wanted)}
        todo = {metric for metric, part in parts.items() if not is_done(self.store, part)}
        rows = frame.to_dicts()
        wants = [tuple(sorted(todo & set(row.pop("metrics")))) for row in rows]
        last = max((place for place, metrics in enumerate(wants) if metrics), default=-1)
        for place, (row, metrics) in enumerate(zip(rows, wants, strict=True)):
            if not metrics:
                self.progress.skip()
                continue
            models = self._pass(metrics)
            yield Request(unit=unit, metrics=metrics, models=models, is_last=place == last, **row)

    def _pass(self, metrics: tuple[str, ...]) -> Pass:
        if metrics not in self._passes:
            self._passes[metrics] = Pass([self.models[metric] for metric in metrics])
        return self._passes[metrics]


def main(config: dict[str, Any], inputs: Path, outputs: Path, rank: int, world: int) -> None:
    """Do this worker's share of the units in `inputs`/todo.

    Raises:
        pydantic.ValidationError: the configuration is not a PassConfig.
        WeightsError: a model's file is missing or another one.
        StorageOutageError: too many images in a row could not be read.
    """
    settings = PassConfig.model_validate(config)
    MetricPass(settings, shared_units(inputs, rank, world), outputs, rank).run()


def _rows(unit: Path) -> int:
    return pl.scan_parquet(unit).select(pl.len()).collect().item()


if __name__ == "__main__":
    run_worker(main, __doc__)
