"""What a metric pass will take, before it is started."""

from dataclasses import dataclass

import polars as pl

from dataproc_assets.transforms.pending import pass_seconds

HOUR = 3600.0


@dataclass(frozen=True)
class Estimate:
    """A pass over pending images.

    Attributes:
        images: how many are decoded, each once for all metrics that it lacks.
        metrics: how many images lack each metric.
        worker_seconds: the time of one worker.
        workers: over how many it is spread.
        price_per_hour: of one worker, in whatever currency the profile counts.
    """

    images: int
    metrics: dict[str, int]
    worker_seconds: float
    workers: int
    price_per_hour: float

    @property
    def hours(self) -> float:
        """How long the pass takes, with the work spread evenly."""
        return self.worker_seconds / self.workers / HOUR

    @property
    def cost(self) -> float:
        """Its price."""
        return self.worker_seconds / HOUR * self.price_per_hour


def estimate_pass(
    left: list[pl.DataFrame],
    seconds_per_image: dict[str, float],
    workers: int,
    price_per_hour: float,
) -> Estimate:
    """The estimate for pending rows, which have the `metrics` that each image lacks."""
    names = [rows.select(pl.col("metrics").explode(empty_as_null=False)) for rows in left]
    counts = pl.concat([pl.DataFrame(schema={"metrics": pl.String}), *names])
    by_name = counts.group_by("metrics").len().sort("metrics")
    return Estimate(
        images=sum(rows.height for rows in left),
        metrics=dict(by_name.iter_rows()),
        worker_seconds=sum((pass_seconds(rows, seconds_per_image) for rows in left), 0.0),
        workers=workers,
        price_per_hour=price_per_hour,
    )
