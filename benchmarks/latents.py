"""The encoding job against its VAE alone, and against a plain loop of diffusers.

`OMP_WAIT_POLICY=PASSIVE python benchmarks/latents.py [--device cuda]` writes pictures of about
1 MP, then lets each side take its turns, each in a process of its own: `job` reads, decodes, cuts,
encodes and writes parts; `vae` encodes the same batches from memory; `plain` opens, resizes,
encodes and saves one picture after the other. On a CPU with the demo's VAE in buckets of 512 x 512;
with `--device cuda` SDXL's architecture with drawn weights, bfloat16 and 1024 x 1024, which this
cannot measure where there is no GPU.
"""

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDES = {"cpu": 512, "cuda": 1024}


def write_images(folder: Path, count: int) -> None:
    """JPEG, PNG and WebP files of drawn shapes under fine noise, 1024 x 1024 pixels."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    for index in range(count):
        random = np.random.default_rng(index)
        coarse = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize((1024, 1024), Image.Resampling.BICUBIC), np.int16)
        picture = picture + random.integers(-4, 5, picture.shape, dtype=np.int16)
        kind = ("jpg", "png", "webp")[index % 3]
        shown = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
        shown.save(folder / f"{index:05d}.{kind}", quality=90)


def vae_config(folder: Path, device: str):
    """The demo's VAE; on a GPU SDXL's architecture with drawn weights, saved once."""
    import torch
    from diffusers import AutoencoderKL
    from safetensors.torch import save_file

    from dataproc_assets.config.project import load_project
    from dataproc_assets.config.weights import File
    from dataproc_assets.models.weights import read_verified

    vaes = load_project().vaes
    if device == "cpu":
        return vaes["demo"]
    weights = folder / "drawn.safetensors"
    _, architecture = vaes["sdxl"].file("architecture")
    if not weights.exists():
        torch.manual_seed(0)
        settings = json.loads(read_verified(architecture, "conf/vaes/sdxl.yaml"))
        save_file(AutoencoderKL.from_config(settings).state_dict(), weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return vaes["sdxl"].model_copy(update={"weights": File(uri=str(weights), sha256=digest)})


def job(args: argparse.Namespace, folder: Path) -> float:
    """The encoding job, into an empty store."""
    import polars as pl

    from dataproc_assets.config.latents import EncodeConfig
    from dataproc_assets.config.project import load_project
    from dataproc_assets.jobs.encode_latents import Encoding
    from dataproc_assets.storage.parquet import to_parquet

    side = pl.lit(SIDES[args.device], pl.Int32)
    rows = [
        (hashlib.sha256(path.read_bytes()).hexdigest(), str(path))
        for path in sorted((folder / "images").iterdir())
    ]
    nothing = pl.lit(None, pl.Int64)
    todo = pl.DataFrame(rows, schema=["sha256", "uri"], orient="row").with_columns(
        offset=nothing, length=nothing, bucket_width=side, bucket_height=side
    )
    units = {}
    for start in range(0, todo.height, 64):
        units[f"u{start}"] = folder / f"u{start}.todo.parquet"
        units[f"u{start}"].write_bytes(to_parquet(todo[start : start + 64]))
    profile = load_project().profile
    with tempfile.TemporaryDirectory(dir=folder) as store:
        config = EncodeConfig(
            storage=store,
            vae=vae_config(folder, args.device),
            decode=profile.decode,
            device=args.device,
            threads=args.threads,
            readers=args.readers,
            compile=args.device == "cuda",
            read=profile.runner.read,
            batch_size=args.batch,
            sample_share=args.sample_share,
        )
        run = Encoding(config, units, Path(store), rank=0)
        warm(run.vae, args)
        start = time.perf_counter()
        run.run()
        return time.perf_counter() - start


def warm(model, args: argparse.Namespace) -> None:
    """One batch: what is compiled or chosen once is not measured."""
    import numpy as np

    side = SIDES[args.device]
    model.start_encoding([np.zeros((side, side, 3), np.uint8)], size_of(args)).wait()


def size_of(args: argparse.Namespace) -> int:
    """Pictures of a batch, as the job has it."""
    return 1 if args.device == "cpu" else args.batch


def vae(args: argparse.Namespace, folder: Path) -> float:
    """The VAE over as many batches from memory, two on their way at a time."""
    import numpy as np

    from dataproc_assets.models.vae import load_vae

    side, size = SIDES[args.device], size_of(args)
    compiled = [(side, side)] if args.device == "cuda" else []
    model = load_vae(vae_config(folder, args.device), args.device, compiled)
    random = np.random.default_rng(0)
    batch = list(random.integers(0, 256, (size, side, side, 3), dtype=np.uint8))
    warm(model, args)
    start = time.perf_counter()
    waiting = []
    for _ in range(0, args.images, size):
        waiting.append(model.start_encoding(batch, size))
        if len(waiting) > 1:
            waiting.pop(0).wait()
    for pending in waiting:
        pending.wait()
    return time.perf_counter() - start


def plain(args: argparse.Namespace, folder: Path) -> float:
    """Open, resize, encode, save: one picture after the other, as diffusers' examples do."""
    import numpy as np
    import torch
    from diffusers import AutoencoderKL
    from PIL import Image
    from safetensors.torch import load_file

    from dataproc_assets.models.weights import locate

    config, side = vae_config(folder, args.device), SIDES[args.device]
    architecture, weights = (locate(config.file(p)[1].uri) for p in ("architecture", "weights"))
    model = AutoencoderKL.from_config(json.loads(architecture.read_bytes()))
    model.load_state_dict(load_file(weights))
    dtype = torch.float32 if args.device == "cpu" else torch.bfloat16
    model = model.eval().to(args.device, dtype)
    with tempfile.TemporaryDirectory(dir=folder) as target, torch.inference_mode():
        start = time.perf_counter()
        for path in sorted((folder / "images").iterdir()):
            image = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
            signed = (pixels.to(args.device, dtype) / 127.5) - 1
            latent = model.encode(signed).latent_dist.mode()
            np.save(Path(target) / path.stem, latent.float().cpu().numpy())
        return time.perf_counter() - start


CONTENDERS = {"job": job, "vae": vae, "plain": plain}


def main() -> None:
    """Let the sides take turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--sample-share", type=float, default=0.0)
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "FOLDER"))
    args = parser.parse_args()
    if args.one:
        from dataproc_assets.models.torch_threads import use_threads

        use_threads(args.threads)
        seconds = CONTENDERS[args.one[0]](args, Path(args.one[1]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "mib": peak}))
        return
    found: dict[str, list[dict]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as temporary:
        write_images(Path(temporary) / "images", args.images)
        for _ in range(args.rounds):
            for name, runs in found.items():
                command = [sys.executable, *sys.argv, "--one", name, temporary]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
                runs.append(json.loads(done.stdout))
    print(f"{args.images} images, {args.device}, {args.threads} threads, {args.rounds} rounds")
    for name, runs in found.items():
        rates = sorted(args.images / run["seconds"] for run in runs)
        print(
            f"{name:6} {statistics.median(rates):7.2f} images/s [{rates[0]:.2f}, {rates[-1]:.2f}], "
            f"peak {max(run['mib'] for run in runs):.0f} MiB"
        )
    for name, target in (("vae", " (target 0.95)"), ("plain", "")):
        ratios = [
            o["seconds"] / j["seconds"] for j, o in zip(found["job"], found[name], strict=True)
        ]
        print(f"rate of job / rate of {name}: {statistics.median(ratios):.2f}{target}")
    if args.device == "cpu":
        print("not measured here: a GPU (--device cuda), whose target is 110 images/s on an H100")


if __name__ == "__main__":
    main()
