"""The metric pass against clip-retrieval's inference, and one pass of all metrics against several.

`pip install --no-deps clip-retrieval`, then `OMP_WAIT_POLICY=PASSIVE python
benchmarks/metric_peers.py --images 256`. Both embed the same JPEG files with the same open_clip
model and weights: the peer with its own reader, its DataLoader processes and the steps of its
mapper, ours as the metric `clip` alone. They take turns. Without clip-retrieval that part is left
out, and said. Then all metrics of the project go over the images in one pass, and one by one.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from metric_pass import write_images, write_units
from open_clip.transform import image_transform

from dataproc_assets.config.metrics import OpenClip
from dataproc_assets.config.passes import PassConfig
from dataproc_assets.config.project import Project, load_project
from dataproc_assets.jobs.metric_pass import MetricPass
from dataproc_assets.models.base import Model
from dataproc_assets.models.encoder import load_clip
from dataproc_assets.models.load import load_model


class Ours:
    """Metric passes over one set of images, each into an empty store."""

    def __init__(self, project: Project, folder: Path, paths: list[Path], readers: int) -> None:
        self.project, self.folder, self.paths, self.readers = project, folder, paths, readers
        self.models: dict[str, Model] = {
            name: load_model(metric, "cpu", 1) for name, metric in project.pass_metrics.items()
        }
        self.rounds = 0

    def score(self, *names: str) -> None:
        """One pass for some metrics."""
        self.rounds += 1
        folder = self.folder / f"pass-{self.rounds}"
        folder.mkdir()
        config = PassConfig(
            storage=str(folder / "store"),
            source="pixiv",
            metrics=[self.project.pass_metrics[name] for name in names],
            decode=self.project.profile.decode,
            device="cpu",
            threads=1,
            readers=self.readers,
            read=self.project.profile.runner.read,
        )
        run = MetricPass(config, write_units(folder, self.paths, list(names), 64), folder, rank=0)
        run.models = {name: self.models[name] for name in names}
        run.run()


def peer(metric: OpenClip, folder: Path, readers: int) -> Callable[[], None] | None:
    """clip-retrieval's reader and its mapper's steps with the metric's model; None without it."""
    package = find_spec("clip_retrieval")
    if package is None or package.origin is None:
        print("without clip-retrieval: pip install --no-deps clip-retrieval")
        return None
    # the file alone: the package itself imports its web server
    place = Path(package.origin).parent / "clip_inference" / "reader.py"
    spec = spec_from_file_location("clip_retrieval_reader", place)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(theirs := module_from_spec(spec))
    model, seen = load_clip(metric.encoder, "clip"), metric.encoder.input
    mean, std = (tuple(value / 255 for value in values) for values in (seen.mean, seen.std))
    transform = image_transform(seen.side, is_train=False, mean=mean, std=std)

    def embed() -> None:
        reader = theirs.FilesReader(
            lambda keys: keys, transform, None, str(folder), metric.batch_size, readers,
            enable_text=False, enable_image=True, enable_metadata=False,
        )  # fmt: skip
        with torch.no_grad():
            for item in reader:
                features = model.encode_image(item["image_tensor"])
                features /= features.norm(dim=-1, keepdim=True)
                features.cpu().to(torch.float16).numpy()

    return embed


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--width", type=int, default=1400)
    parser.add_argument("--height", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--readers", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    project = load_project()
    clip = project.pass_metrics["clip"]
    assert isinstance(clip, OpenClip)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        images = folder / "images"
        paths = write_images(images, arguments.images, arguments.width, arguments.height)
        ours = Ours(project, folder, paths, arguments.readers)
        names = list(ours.models)
        ways: dict[str, Callable[[], object]] = {
            "clip, this pass": lambda: ours.score("clip"),
            "all metrics, one pass": lambda: ours.score(*names),
            "all metrics, a pass each": lambda: deque(map(ours.score, names), maxlen=0),
        }
        if (theirs := peer(clip, images, arguments.readers)) is not None:
            ways["clip, clip-retrieval"] = theirs
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, work in ways.items():
                times[name].append(seconds(work))
    print(f"machine: {platform.machine()}, torch {torch.__version__}, {arguments.readers} readers")
    print(f"{arguments.images} JPEG of {arguments.width}x{arguments.height}: {', '.join(names)}")
    median = {name: statistics.median(taken) for name, taken in times.items()}
    for name, taken in median.items():
        print(f"{name:26}{arguments.images / taken:8.1f} images/s")
    if theirs is not None:
        ratio = median["clip, clip-retrieval"] / median["clip, this pass"]
        print(f"this pass / clip-retrieval: {ratio:.2f} times its rate")
    gain = median["all metrics, a pass each"] / median["all metrics, one pass"]
    print(f"one pass / {len(names)} passes: {gain:.2f} times the rate")


if __name__ == "__main__":
    main()
