"""Training: a small denoiser a fold, measured on the images that it never saw.

Run as `python -m dataproc_assets.jobs.train_denoiser --base DIR`; the folders below DIR are those
of SageMaker Processing (see `host`). Unit files `{unit}.todo.parquet`, one a fold, hold image_id,
uri, offset and length of a latent in its tar, prompts, held_out, drawn and kept. Each gives a part
`{unit}.losses.parquet`; the one whose model is kept gives its weights and drawn pictures too. The
`.json` beside a part is its done mark.
"""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from PIL import Image

from dataproc_assets.config.denoiser import TrainConfig
from dataproc_assets.jobs.denoiser_steps import train
from dataproc_assets.jobs.foretell import Example, Foretelling
from dataproc_assets.jobs.host import run_worker, shared_units
from dataproc_assets.jobs.progress import ProgressFile
from dataproc_assets.jobs.read import read_image
from dataproc_assets.models.denoiser import Denoiser
from dataproc_assets.models.draw import About, drawn_latents, to_file, to_pixels
from dataproc_assets.models.noise import generator, noise
from dataproc_assets.models.prompt_words import prompt_words
from dataproc_assets.models.torch_threads import use_threads
from dataproc_assets.models.vae import load_vae
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import done_path, drawn_path, losses_path, trained_path
from dataproc_assets.storage.npy import read_npy
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.parquet import to_parquet

LOSSES = pl.Schema(
    {
        "image_id": pl.String,
        "none": pl.Float64,
        "true": pl.Float64,
        "shuffled": pl.List(pl.Float64),
    }
)
DRAWN = pl.Schema(
    {
        "image_id": pl.String,
        "prompt": pl.String,
        "guidance": pl.Float64,  # 0 is without the prompt
        "picture": pl.Binary,  # WebP
    }
)


class Fold:
    """One unit: its images, its model, its part."""

    def __init__(self, config: TrainConfig, store: ObjectStore, unit: str, rows: pl.DataFrame):
        self.config, self.store, self.unit = config, store, unit
        self.rows = rows.sort("image_id")

    def is_done(self) -> bool:
        """Whether its part is there."""
        return self.store.exists(done_path(losses_path(self.config.parts, self.unit)))

    def run(self, progress: ProgressFile) -> None:
        """Train, measure, and write the part; what a killed run left of it is written anew."""
        start, parts = time.monotonic(), self.config.parts
        model, examples = self._begin()
        held = dict(self.rows.select("image_id", "held_out").iter_rows())
        seen = [example for example in examples if not held[example.image_id]]
        unseen = [example for example in examples if held[example.image_id]]
        curve = train(model, seen, self.config.device, lambda: progress.add(None))
        trained = time.monotonic()
        foretelling = Foretelling(model, seen)
        foretelling.tell()
        losses = [vars(foretelling.losses(example)) for example in unseen]
        files = {losses_path(parts, self.unit): to_parquet(pl.DataFrame(losses, schema=LOSSES))}
        if self.rows["kept"].any():
            files[trained_path(parts, self.unit)] = to_file(model, self._about(model))
            files[drawn_path(parts, self.unit)] = to_parquet(self._drawn(model, unseen))
        for path, data in files.items():
            self.store.put(path, data)
        seconds = {"train": trained - start, "measure": time.monotonic() - trained}
        about = {"seen": len(seen), "unseen": len(unseen), "curve": curve, "seconds": seconds}
        self._mark({path: bytes_digest(data) for path, data in files.items()}, about)

    def _mark(self, digests: dict[str, str], about: dict[str, Any]) -> None:
        told = {**about, "digests": digests, "device": self.config.device}
        told["torch"] = version("torch")
        path = done_path(losses_path(self.config.parts, self.unit))
        self.store.put(path, json.dumps(told, sort_keys=True).encode())

    def _begin(self) -> tuple[Denoiser, list[Example]]:
        """The model before its training, and all images in units of the seen ones' deviation."""
        rows, config = self.rows, self.config.denoiser
        with ThreadPoolExecutor(self.config.readers) as pool:
            latents = list(pool.map(self._latent, rows.iter_rows(named=True)))
        seen = [x for x, held in zip(latents, rows["held_out"], strict=True) if not held]
        values = torch.cat([x.flatten(1) for x in seen], 1)
        torch.manual_seed(generator(config.seed, "weights").initial_seed())
        model = Denoiser(config, len(values))
        model.mean.copy_(values.mean(1)[:, None, None])
        model.deviation.copy_(values.std(1).clamp_min(1e-6)[:, None, None])
        several = zip(rows["image_id"], latents, rows["prompts"].to_list(), strict=True)
        return model, [Example(image, model.normal(x), prompts) for image, x, prompts in several]

    def _latent(self, row: dict[str, Any]) -> torch.Tensor:
        data = read_image(row["uri"], row["offset"], row["length"], row["length"], self.config.read)
        latent = torch.from_numpy(read_npy(data)).float()
        patch = self.config.denoiser.patch
        if any(side % patch for side in latent.shape[1:]):
            raise ValueError(
                f"{row['image_id']}: a latent of {tuple(latent.shape)} is not made of patches of "
                f"{patch}; set denoiser.patch in conf/releases/{self.config.release}.yaml to a "
                "divisor of latents.buckets.step / the VAE's factor"
            )
        return latent

    def _about(self, model: Denoiser) -> About:
        config = self.config
        return About(config.release, config.recipe, model.channels, config.denoiser, config.vae)

    def _drawn(self, model: Denoiser, unseen: Sequence[Example]) -> pl.DataFrame:
        """Pictures by the prompts of images that were not seen, and by none, of the same noise."""
        wanted = set(self.rows.filter("drawn")["image_id"])
        config, found = self.config.denoiser, []
        vae = load_vae(self.config.vae) if wanted else None
        for example in unseen:
            if example.image_id not in wanted or vae is None:
                continue
            prompt = example.prompts[0]
            words = torch.from_numpy(prompt_words([prompt], config.words))
            noisy = noise((1, *example.normal.shape), config.seed, "drawn", example.image_id)
            for guidance in (0.0, 1.0, config.guidance):
                latents = drawn_latents(model, noisy, words, guidance, config.sample_steps)
                picture = _webp(to_pixels(vae.decode(latents))[0])
                found.append((example.image_id, prompt, guidance, picture))
        return pl.DataFrame(found, schema=DRAWN, orient="row")


def _webp(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=90)
    return buffer.getvalue()


def main(config: dict[str, Any], inputs: Path, outputs: Path, rank: int, world: int) -> None:
    """Do this worker's share of the units in `inputs`/todo.

    Raises:
        pydantic.ValidationError: the configuration is not a TrainConfig.
        ReadError: a latent could not be read.
        ValueError: a latent does not fit the model's patches.
        WeightsError: a file of the VAE is missing or another one.
    """
    settings = TrainConfig.model_validate(config)
    use_threads(settings.threads)
    store = open_store(settings.storage)
    units = sorted(shared_units(inputs, rank, world).items())
    folds = [Fold(settings, store, unit, pl.read_parquet(path)) for unit, path in units]
    progress = ProgressFile(outputs, rank, settings.denoiser.steps * len(folds))
    for fold in folds:
        if fold.is_done():
            for _ in range(settings.denoiser.steps):
                progress.skip()
        else:
            fold.run(progress)
        progress.parts += 1
    progress.write()


if __name__ == "__main__":
    run_worker(main, __doc__)
