"""The metric pass against its floor: decoding alone and the models alone, on the same images.

`OMP_WAIT_POLICY=PASSIVE python benchmarks/metric_pass.py --images 256`, as the runner's workers
wait. The three take turns in one process. On a CPU the pass should take no longer than both
floors together; with spare cores, or on a GPU, the models should take most of it. Metrics whose
weights are not there are left out, and named.
"""

import argparse
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from PIL import Image

from dataproc_assets.config.passes import PassConfig
from dataproc_assets.config.project import load_project
from dataproc_assets.jobs.decode import decode
from dataproc_assets.jobs.metric_pass import MetricPass
from dataproc_assets.jobs.pool import OrderedPool
from dataproc_assets.jobs.read import read_image
from dataproc_assets.models.base import DecodedImage
from dataproc_assets.models.load import Pass, load_model
from dataproc_assets.models.weights import WeightsError
from dataproc_assets.storage.parquet import to_parquet


def write_images(folder: Path, count: int, width: int, height: int) -> list[Path]:
    """JPEG files of coarse shapes under fine noise, about as dear to decode as drawings."""
    folder.mkdir()
    random = np.random.default_rng(0)
    paths = []
    for index in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 8, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        picture = picture + random.integers(-6, 7, picture.shape, dtype=np.int16)
        paths.append(folder / f"{index}.jpg")
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(paths[-1], quality=90)
    return paths


def write_units(
    folder: Path, paths: list[Path], metrics: list[str], unit_images: int
) -> dict[str, Path]:
    """Todo unit files over the images, by unit."""
    units = {}
    for start in range(0, len(paths), unit_images):
        rows = [
            (f"pixiv/{path.stem}_p0", "1", str(path), None, None, metrics)
            for path in paths[start : start + unit_images]
        ]
        frame = pl.DataFrame(
            rows,
            schema={
                "image_key": pl.String,
                "version": pl.String,
                "uri": pl.String,
                "offset": pl.Int64,
                "length": pl.Int64,
                "metrics": pl.List(pl.String),
            },
            orient="row",
        )
        units[f"u{start}"] = folder / f"u{start}.todo.parquet"
        units[f"u{start}"].write_bytes(to_parquet(frame))
    return units


def no_image_is_slow(item: object) -> None:
    """Nothing may be given up here: it would flatter the figures."""
    raise RuntimeError(f"{item} was given up; raise max_seconds in the profile")


class Bench:
    """The three contenders over one set of images."""

    def __init__(self, config: PassConfig, models: Pass, paths: list[Path], folder: Path) -> None:
        self.config, self.models, self.paths, self.folder = config, models, paths, folder
        self.units = write_units(folder, paths, list(models.models), 64)
        self.decoded: list[DecodedImage] = []
        self.rounds = 0

    def whole(self) -> None:
        """The metric pass itself, into an empty store."""
        self.rounds += 1
        store = self.folder / f"store-{self.rounds}"
        config = self.config.model_copy(update={"storage": str(store)})
        run = MetricPass(config, self.units, self.folder, rank=0)
        run.models = self.models.models
        run.run()

    def decode_only(self) -> None:
        """Reading and decoding with the same reader threads."""
        for _ in self._pool(lambda ticket: self._decode(ticket.item)).map(self.paths):
            pass

    def models_only(self) -> None:
        """Preprocessing in the same threads and the models, over pictures decoded before."""
        waiting = []
        for inputs in self._pool(lambda t: self.models.preprocess(t.item)).map(self.decoded):
            waiting.append(inputs)
            if len(waiting) == self.models.batch_size:
                self.models.forward(waiting)
                waiting = []
        self.models.forward(waiting)

    def keep_decoded(self) -> None:
        """Decode all images for `models_only`; not timed."""
        self.decoded = [self._decode(path) for path in self.paths]

    def _decode(self, path: Path) -> DecodedImage:
        data = read_image(str(path), None, None, self.config.decode.max_bytes, self.config.read)
        return decode(data, self.config.decode, self.config.decode.jpeg_side)

    def _pool(self, work: Callable) -> OrderedPool:
        return OrderedPool(
            work, no_image_is_slow, threads=self.config.readers, ahead=2 * self.models.batch_size
        )


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Wall time of a call, and the processor time of all its threads."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def peak_mib() -> float:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--width", type=int, default=1400)
    parser.add_argument("--height", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    project = load_project()
    models = {}
    for name, metric in project.pass_metrics.items():
        try:
            models[name] = load_model(metric, arguments.device, arguments.threads)
        except WeightsError as error:
            print(f"without {name}: {error}")
    config = PassConfig(
        storage="unset",
        source="pixiv",
        metrics=[project.pass_metrics[name] for name in models],
        decode=project.profile.decode,
        device=arguments.device,
        threads=arguments.threads,
        readers=arguments.readers,
        read=project.profile.runner.read,
    )
    loaded = peak_mib()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = write_images(folder / "images", arguments.images, arguments.width, arguments.height)
        bench = Bench(config, Pass(list(models.values())), paths, folder)
        bench.whole()
        peak = peak_mib()
        bench.keep_decoded()
        times: dict[str, list[tuple[float, float]]] = {
            "whole": [],
            "decode_only": [],
            "models_only": [],
        }
        for _ in range(arguments.rounds):
            for name, taken in times.items():
                taken.append(seconds(getattr(bench, name)))
    wall, busy = (
        {name: statistics.median(t[kind] for t in taken) for name, taken in times.items()}
        for kind in (0, 1)
    )
    print(f"machine: {platform.machine()}, device {arguments.device}, torch {torch.__version__}")
    print(f"{arguments.images} JPEG of {arguments.width}x{arguments.height}, {', '.join(models)}")
    for name, taken in wall.items():
        print(
            f"{name:12} {arguments.images / taken:8.1f} images/s, {busy[name]:.2f} s of processor"
        )
    for label, of in (("wall time", wall), ("processor time", busy)):
        ratio = of["whole"] / (of["decode_only"] + of["models_only"])
        print(f"whole / (decode + models), {label}: {ratio:.2f} (target <= 1.10)")
    share = wall["models_only"] / wall["whole"]
    print(f"whole rate / models rate: {share:.2f} (target on a GPU >= 0.90)")
    print(f"peak memory: {peak:.0f} MiB, of them {loaded:.0f} MiB with the models loaded")


if __name__ == "__main__":
    main()
