"""The encoding of latents against its VAE alone and against a plain loop of diffusers.

`OMP_WAIT_POLICY=PASSIVE python benchmarks/latents.py`, as the runner's workers wait. Files of
about one megapixel are drawn; then these take turns, each in a process of its own, loading and
compiling not counted:

  vae      the job's VAE over the same batches, cut before the clock starts
  job      the job itself, from files to parts
  sampled  the job with --sample-share of its latents decoded again for PSNR and preview
  decode   reading, decoding and cutting alone, in the job's reader threads
  plain    open, resize, encode and save as .npy, one picture after the other

On a CPU --threads below the number of cores leaves the readers a core, as a GPU leaves them all.
With --device cuda it is SDXL's architecture with drawn weights, at four times the pixels.
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataproc_assets.config.vaes import VaeConfig
    from dataproc_assets.models.vae import Vae

SHAPES = [(1024, 1024), (896, 1152), (1152, 896)]  # buckets on a GPU; half of each side on a CPU
KINDS = ["jpg", "png", "webp"]
UNIT_IMAGES = 64


def write_files(folder: Path, count: int) -> None:
    """Coarse shapes under fine noise, drawn by hash, a tenth larger than their bucket."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    for index in range(count):
        width, height = (side * 11 // 10 for side in SHAPES[index % len(SHAPES)])
        bits = hashlib.shake_256(str(index).encode()).digest(12 * 8 * 3 + width * height)
        draws = np.frombuffer(bits, np.uint8)
        coarse = Image.fromarray(draws[:288].reshape(12, 8, 3))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noise = (draws[288:].reshape(height, width, 1) % 13).astype(np.int16) - 6
        picture = Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))
        kind = KINDS[index // len(SHAPES) % len(KINDS)]
        picture.save(folder / f"{index:05d}.{kind}", quality=90)


def write_config(root: Path, args: argparse.Namespace) -> None:
    """What the job is told."""
    from dataproc_assets.config.latents import EncodeConfig
    from dataproc_assets.config.project import load_project

    project = load_project()
    config = EncodeConfig(
        storage=str(root / "store"),
        vae=project.vaes["demo"] if args.device == "cpu" else drawn_sdxl(root),
        decode=project.profile.decode,
        batch_size=args.batch,
        sample_share=0.0,
        device=args.device,
        threads=args.threads,
        readers=args.readers,
        compile=args.device == "cuda",
        read=project.profile.runner.read,
    )
    (root / "config.json").write_text(config.model_dump_json())


def drawn_sdxl(root: Path) -> "VaeConfig":
    """SDXL's architecture with drawn weights, saved below `root`."""
    import torch
    from diffusers import AutoencoderKL
    from safetensors.torch import save_file

    from dataproc_assets.config.project import load_project
    from dataproc_assets.config.weights import File
    from dataproc_assets.models.weights import read_verified

    sdxl = load_project().vaes["sdxl"]
    key, architecture = sdxl.file("architecture")
    torch.manual_seed(0)
    path = root / "drawn.safetensors"
    model = AutoencoderKL.from_config(json.loads(read_verified(architecture, key)))
    save_file(model.state_dict(), path)
    weights = File(uri=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    return sdxl.model_copy(update={"weights": weights})


class Bench:
    """Each side gets ready and returns what is timed."""

    def __init__(self, root: Path, store: str, sample_share: float) -> None:
        import polars as pl

        from dataproc_assets.config.latents import EncodeConfig
        from dataproc_assets.models.torch_threads import use_threads

        read = EncodeConfig.model_validate_json((root / "config.json").read_text())
        self.config = read.model_copy(update={"storage": store, "sample_share": sample_share})
        use_threads(self.config.threads)
        self.root = root
        on_cpu = self.config.device == "cpu"
        self.size = 1 if on_cpu else self.config.batch_size
        rows = []
        for index, path in enumerate(sorted((root / "files").iterdir())):
            sides = (side // 2 if on_cpu else side for side in SHAPES[index % len(SHAPES)])
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append((digest, str(path), None, None, *sides))
        schema = {"sha256": pl.String, "uri": pl.String, "offset": pl.Int64, "length": pl.Int64}
        schema |= {"bucket_width": pl.Int32, "bucket_height": pl.Int32}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        self.todo = frame.sort("bucket_width", "bucket_height", "sha256")

    def job(self) -> Callable[[], None]:
        """The job as a worker runs it."""
        from dataproc_assets.jobs.encode_latents import Encoding
        from dataproc_assets.storage.parquet import to_parquet

        units = {}
        for start in range(0, self.todo.height, UNIT_IMAGES):
            name = f"{start:06d}"
            units[name] = self.root / f"{name}.todo.parquet"
            units[name].write_bytes(to_parquet(self.todo[start : start + UNIT_IMAGES]))
        encoding = Encoding(self.config, units, self.root, rank=0)
        self._warm(encoding.vae)

        def run() -> None:
            encoding.run()
            progress = encoding.progress
            assert (progress.parts, progress.errors) == (len(units), {}), progress.errors

        return run

    def vae(self) -> Callable[[], None]:
        """The VAE alone; one batch waits behind the one that is computed, as in the job."""
        from dataproc_assets.models.vae import load_vae

        compiled = self._buckets() if self.config.compile else []
        model = load_vae(self.config.vae, self.config.device, compiled)
        self._warm(model)
        batches = []
        for _, rows in self.todo.group_by("bucket_width", "bucket_height", maintain_order=True):
            pictures = [self._cut(row) for row in rows.iter_rows(named=True)]
            batches += [
                pictures[start : start + self.size] for start in range(0, len(pictures), self.size)
            ]

        def run() -> None:
            waiting = [model.start_encoding(batches[0], self.size)]
            for batch in batches[1:]:
                waiting.append(model.start_encoding(batch, self.size))
                waiting.pop(0).wait()
            waiting.pop().wait()

        return run

    def decode(self) -> Callable[[], None]:
        """What the reader threads do, with nobody to wait for."""
        from dataproc_assets.jobs.pool import OrderedPool

        def too_slow(item: object) -> None:
            raise RuntimeError(f"{item} was given up: it would flatter the figures")

        pool = OrderedPool(
            lambda ticket: self._cut(ticket.item),
            too_slow,
            threads=self.config.readers,
            ahead=2 * self.config.batch_size + self.config.readers,
        )

        def run() -> None:
            for _ in pool.map(self.todo.iter_rows(named=True)):
                pass

        return run

    def plain(self) -> Callable[[], None]:
        """The loop that one writes first, in one thread."""
        import numpy as np
        import torch
        from diffusers import AutoencoderKL
        from diffusers.utils import logging
        from PIL import Image, ImageOps
        from safetensors.torch import load_file

        from dataproc_assets.models.weights import locate

        logging.set_verbosity_error()  # it warns of `to` with a type
        config = self.config.vae
        architecture, weights = (
            locate(config.file(part)[1].uri) for part in ("architecture", "weights")
        )
        model = AutoencoderKL.from_config(json.loads(architecture.read_bytes()))
        model.load_state_dict(load_file(weights))
        device = self.config.device
        model.eval().to(device, torch.float32 if device == "cpu" else torch.bfloat16)
        folder = Path(self.config.storage)
        rows = self.todo.rows(named=True)

        def encode(row: dict) -> None:
            size = (row["bucket_width"], row["bucket_height"])
            with Image.open(row["uri"]) as file:
                shown = ImageOps.fit(file.convert("RGB"), size, Image.Resampling.LANCZOS)
            signed = torch.from_numpy(np.array(shown)).permute(2, 0, 1)[None] / 127.5 - 1
            with torch.inference_mode():
                latent = model.encode(signed.to(device, model.dtype)).latent_dist.mode()
            np.save(folder / f"{row['sha256']}.npy", latent[0].float().cpu().numpy())

        for row in rows[:: max(1, len(rows) // 3)]:
            encode(row)

        def run() -> None:
            for row in rows:
                encode(row)

        return run

    def _buckets(self) -> list[tuple[int, int]]:
        return sorted(self.todo.select("bucket_width", "bucket_height").unique().rows())

    def _warm(self, vae: "Vae") -> None:
        """Each bucket once: what is compiled or chosen once is not measured."""
        import numpy as np

        for width, height in self._buckets():
            empty = [np.zeros((height, width, 3), np.uint8)] * self.size
            latents = vae.start_encoding(empty, self.size)
            if self.config.sample_share:
                vae.start_decoding(list(latents.on_device), self.size).wait()
            latents.wait()

    def _cut(self, row: dict):
        from dataproc_assets.jobs.cut import cut
        from dataproc_assets.jobs.decode import decode
        from dataproc_assets.jobs.read import read_image

        limits = self.config.decode
        data = read_image(row["uri"], None, None, limits.max_bytes, self.config.read)
        return cut(decode(data, limits).image, row["bucket_width"], row["bucket_height"])[0]


SIDES = {
    "vae": Bench.vae,
    "job": Bench.job,
    "sampled": Bench.job,
    "decode": Bench.decode,
    "plain": Bench.plain,
}


def run_one(name: str, root: Path, sample_share: float) -> None:
    """One side in this process; prints its seconds, those of processors, and its peak memory."""
    with tempfile.TemporaryDirectory(dir=root) as store:
        run = SIDES[name](Bench(root, store, sample_share if name == "sampled" else 0.0))
        start, busy = time.perf_counter(), time.process_time()
        run()
        found = {"seconds": time.perf_counter() - start, "busy": time.process_time() - busy}
    found["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def report(found: dict[str, list[dict[str, float]]], args: argparse.Namespace) -> None:
    """Print each side's rates, and the medians over the rounds of what they are to each other."""
    for name, runs in found.items():
        rates = sorted(args.images / run["seconds"] for run in runs)
        busy = statistics.median(run["busy"] for run in runs)
        print(
            f"{name:8} {statistics.median(rates):7.2f} images/s [{rates[0]:.2f}, {rates[-1]:.2f}]  "
            f"{busy:6.2f} s of processor  peak {max(run['mib'] for run in runs):.0f} MiB"
        )

    def ratio(name: str, other: str) -> str:
        pairs = zip(found[name], found[other], strict=True)
        ratios = sorted(two["seconds"] / one["seconds"] for one, two in pairs)
        return f"{statistics.median(ratios):.3f} [{ratios[0]:.3f}, {ratios[-1]:.3f}]"

    cores = len(os.sched_getaffinity(0))
    ceilings = [
        max(vae["seconds"], (vae["busy"] + decode["busy"]) / cores) / job["seconds"]
        for vae, decode, job in zip(found["vae"], found["decode"], found["job"], strict=True)
    ]
    print(f"rate of job / rate of vae: {ratio('job', 'vae')} (target 0.95)")
    print(
        f"rate of job / that of {cores} cores that do nothing but decode and encode: "
        f"{statistics.median(ceilings):.3f}"
    )
    work = statistics.median(
        job["busy"] / (vae["busy"] + decode["busy"])
        for vae, decode, job in zip(found["vae"], found["decode"], found["job"], strict=True)
    )
    print(f"processor time of job / that of vae and decode: {work:.3f}")
    print(
        f"rate of sampled / rate of job: {ratio('sampled', 'job')}, {args.sample_share:.0%} again"
    )
    print(f"rate of job / rate of plain: {ratio('job', 'plain')}")
    if args.device == "cpu":
        print("not measured here: a GPU (--device cuda), whose target is 110 images/s on an H100")


def main() -> None:
    """Let the sides take turns and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--sample-share", type=float, default=0.02)
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], Path(args.one[1]), args.sample_share)
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as temporary:
        write_files(Path(temporary) / "files", args.images)
        write_config(Path(temporary), args)
        for number in range(args.rounds):
            for name in sorted(found, reverse=number % 2 == 1):
                command = [sys.executable, *sys.argv, "--one", name, temporary]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
                found[name].append(json.loads(done.stdout))
    print(
        f"{args.images} images, {args.device}, {platform.machine()} of "
        f"{len(os.sched_getaffinity(0))} cores, {args.threads} threads, {args.readers} readers, "
        f"{args.rounds} rounds: median [least, most]"
    )
    report(found, args)


if __name__ == "__main__":
    main()
