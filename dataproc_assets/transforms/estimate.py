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
        measured: over how many images the rate was measured; 0 where YAML says it.
    """

    images: int
    metrics: dict[str, int]
    worker_seconds: float
    workers: int
    price_per_hour: float
    measured: int

    @property
    def hours(self) -> float:
        """How long the pass takes, with the work spread evenly."""
        return self.worker_seconds / self.workers / HOUR

    @property
    def cost(self) -> float:
        """Its price."""
        return self.worker_seconds / HOUR * self.price_per_hour

    def __str__(self) -> str:
        time = duration(self.hours * HOUR)
        said = f"{self.images} images, about {time} on {self.workers} workers"
        price = f", cost about {self.cost:.2f}" if self.price_per_hour else ""
        measured = f"measured over {self.measured} images" if self.measured else "by the YAML"
        return f"{said}{price} (rate {measured})"


def estimate_pass(
    left: list[pl.DataFrame],
    seconds_per_image: dict[str, float],
    workers: int,
    price_per_hour: float,
    measured: int = 0,
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
        measured=measured,
    )


def duration(seconds: float) -> str:
    """A time as people say it, to two or three digits."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / HOUR:.1f} h"


def over_budget(estimate: Estimate, hours: float | None, cost: float | None) -> str:
    """Which limit an estimate is over, with both figures; empty where it is over none."""
    if hours is not None and estimate.hours > hours:
        return f"about {estimate.hours:.3g} h is over the budget's {hours:g} h"
    if cost is not None and estimate.cost > cost:
        return f"a cost of about {estimate.cost:.2f} is over the budget's {cost:g}"
    return ""
