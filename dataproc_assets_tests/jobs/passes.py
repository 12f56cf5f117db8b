"""A small crawl on disk and the job that passes over it."""

import tarfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import polars as pl

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.passes import part_fingerprint
from dataproc_assets.config.project import CONF
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.jobs.metric_pass import main
from dataproc_assets.runners import Job
from dataproc_assets.storage.layout import part_path
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets_tests.jobs.here import work_here
from dataproc_assets_tests.jobs.pictures import WHITE, encode, gradient

METRIC_PASS = "dataproc_assets.jobs.metric_pass"
TODO = pl.Schema(
    {
        "image_key": pl.String,
        "version": pl.String,
        "uri": pl.String,
        "offset": pl.Int64,
        "length": pl.Int64,
        "metrics": pl.List(pl.String),
    }
)
Row = tuple[str, str, str, int | None, int | None, list[str]]


def metric(name: str) -> MetricConfig:
    """A metric as the project configures it."""
    return read_yaml(CONF / "metrics" / f"{name}.yaml", MetricConfig)


def configured(metric_or_name: MetricConfig | str) -> MetricConfig:
    """A configuration, or the project's of that name."""
    return metric(metric_or_name) if isinstance(metric_or_name, str) else metric_or_name


def pass_job(
    store: Path | str, units: dict[str, list[Row]], metrics: tuple[MetricConfig | str, ...]
) -> Job:
    """The metric pass over units of the source `pixiv`."""
    return Job(
        module=METRIC_PASS,
        config={
            "storage": str(store),
            "source": "pixiv",
            "metrics": [configured(one).model_dump(mode="json") for one in metrics],
            "decode": WHITE.model_dump(),
        },
        units={
            f"{unit}.todo.parquet": to_parquet(pl.DataFrame(rows, schema=TODO, orient="row"))
            for unit, rows in units.items()
        },
        name="metrics-pixiv",
    )


def run_here(job: Job, folder: Path, rank: int = 0, world: int = 1, readers: int = 2) -> dict:
    """One worker's share of a pass in this process; what its progress file says at the end."""
    return work_here(main, job.config, job.units, folder, rank, world, readers)


def write_pictures(folder: Path, count: int, metrics: list[str]) -> list[Row]:
    """So many different PNG files, one row each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for index in range(count):
        path = folder / f"{index}.png"
        path.write_bytes(encode(gradient(24 + index, 20, shift=40 * index), "PNG"))
        rows.append((f"pixiv/{index}_p0", f"v{index}", str(path), None, None, metrics))
    return rows


def write_tar(path: Path, count: int, metrics: list[str]) -> list[Row]:
    """The same pictures as members of a tar, one row each."""
    with tarfile.open(path, "w") as tar:
        for index in range(count):
            data = encode(gradient(24 + index, 20, shift=40 * index), "PNG")
            member = tarfile.TarInfo(f"{index}.png")
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
    with tarfile.open(path) as tar:
        return [
            (f"pixiv/{index}_p0", f"v{index}", str(path), m.offset_data, m.size, metrics)
            for index, m in enumerate(tar.getmembers())
        ]


def read_part(store: Path, name: MetricConfig | str, unit: str) -> pl.DataFrame:
    """A metric's part of a unit."""
    return from_parquet(open_store(str(store)).get(part_of(name, unit)))


def part_of(name: MetricConfig | str, unit: str) -> str:
    """Where a metric's part of a unit lies."""
    config = configured(name)
    return part_path(config.name, part_fingerprint(config, WHITE), "pixiv", unit)


def parts(store: Path | str) -> dict[str, bytes]:
    """Every part's bytes by path."""
    objects: ObjectStore = open_store(str(store))
    paths = objects.list("units/metrics")["path"]
    return {path: objects.get(path) for path in paths if path.endswith(".parquet")}


def workers(parent: int, module: str) -> list[int]:
    """The worker processes of a job's module that a process has started and that still run.

    Its other children are not the test's: the session's S3 server may be among them.
    """
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            mine = int(stat.read_text().rpartition(")")[2].split()[1]) == parent
            if mine and module.encode() in stat.with_name("cmdline").read_bytes().split(b"\0"):
                found.append(int(stat.parent.name))
    return found
