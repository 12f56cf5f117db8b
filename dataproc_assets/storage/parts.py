"""The parts of a project's metrics at their present fingerprints."""

from io import BytesIO

import polars as pl

from dataproc_assets.config.passes import part_fingerprint
from dataproc_assets.config.project import Project
from dataproc_assets.storage import layout
from dataproc_assets.storage.crawl import listing_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.rate import UNITS, Rate, measured_rate
from dataproc_assets.storage.scored import done_rows, parts_holding

EMPTY_PART = pl.Schema(
    {
        "image_key": pl.String,
        "version": pl.String,
        "status": pl.String,
        "error": pl.String,
        "part": pl.String,
    }
)


class Parts:
    """What the metric jobs have finished in `store`: a part counts once its done mark is there."""

    def __init__(self, project: Project, store: ObjectStore) -> None:
        self._project, self._store = project, store

    def fingerprint(self, metric: str) -> str:
        """What names the folder of a metric's parts."""
        return part_fingerprint(self._project.metrics[metric], self._project.profile.decode)

    def paths(self, metric: str, source: str) -> list[str]:
        """The finished parts, sorted."""
        return self._finished(metric, source)["path"].to_list()

    def holding(self, metric: str, source: str, keys: pl.Series) -> list[str]:
        """The finished parts that have rows of some images, sorted."""
        return parts_holding(self._store, self.paths(metric, source), keys)

    def state(self, metric: str, source: str) -> str:
        """A digest over the finished parts and their versions on storage.

        Names alone would not do: a part with rows to retry is written again under its name.
        """
        return listing_digest(self._finished(metric, source))

    def versions(self, metric: str, source: str) -> dict[str, str]:
        """The finished parts and their versions on storage, sorted."""
        return dict(self._finished(metric, source).sort("path").select("path", "version").rows())

    def read(self, metric: str, source: str) -> pl.LazyFrame:
        """All finished rows, with their `part`."""
        frames = [
            self.scan(path).with_columns(part=pl.lit(path)) for path in self.paths(metric, source)
        ]
        if not frames:
            return EMPTY_PART.to_frame().lazy()
        return pl.concat(frames)

    def scan(self, path: str) -> pl.LazyFrame:
        """The rows of one part."""
        return pl.scan_parquet(BytesIO(self._store.get(path)))

    def rate(self, source: str, late: str | None = None) -> Rate:
        """How fast the pass goes, or a metric that runs late.

        As last measured in the folder of a source's parts, or else in that of any other.
        """
        metrics = {late: self._project.metrics[late]} if late else self._project.pass_metrics
        estimates = {name: metric.seconds_per_image for name, metric in metrics.items()}
        for each in [source, *(other for other in self._project.sources if other != source)]:
            marks = [p for name in metrics for p in self._newest_marks(name, each, UNITS)]
            rate = measured_rate(self._store, marks, estimates)
            if rate.images:
                return rate
        return Rate(estimates, 0)

    def done(self, metric: str, source: str) -> pl.LazyFrame:
        """`image_key` and `version` of what a metric has scored, or found that it cannot."""
        return done_rows(self._store, self.paths(metric, source)).unique()

    def _newest_marks(self, metric: str, source: str, count: int) -> list[str]:
        """The done marks of the parts that were finished last, the newest first."""
        newest = self._finished(metric, source).sort("modified", "path", descending=True)
        return [layout.done_path(path) for path in newest["path"].head(count)]

    def _finished(self, metric: str, source: str) -> pl.DataFrame:
        """The listing of the finished parts."""
        folder = layout.parts_path(metric, self.fingerprint(metric), source)
        listing = self._store.list(folder)
        names = set(listing["path"])
        parts = [name for name in names if name.endswith(".parquet")]
        done = [name for name in parts if layout.done_path(name) in names]
        return listing.filter(pl.col("path").is_in(done))
