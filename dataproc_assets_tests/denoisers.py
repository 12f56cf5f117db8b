"""Small denoisers, and made latents of which prompts tell something, or nothing."""

import json
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dataproc_assets.config.denoiser import DenoiserConfig, denoiser_fingerprint
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.jobs.train_denoiser import main
from dataproc_assets.release.denoiser import publish_denoiser
from dataproc_assets.release.folds import fold_units, folded
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.storage.layout import denoiser_parts_path, latents_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.units import SUFFIX
from dataproc_assets_tests.jobs.encoding import drawn_vae
from dataproc_assets_tests.jobs.here import work_here
from dataproc_assets_tests.stores import contents

COLOURS = ("red", "green", "blue", "white")


def small_config(**changes) -> DenoiserConfig:
    """A denoiser that is trained in less than a second."""
    values = {
        "held_out": "validation",
        "folds": 3,
        "images_max": 1000,
        "steps": 6,
        "batch_size": 4,
        "learning_rate": 0.004,
        "weight_decay": 0.05,
        "average": 0.9,
        "patch": 2,
        "width": 16,
        "depth": 1,
        "heads": 2,
        "words": 64,
        "grid": 2,
        "ridge": 1.0,
        "shift": 3.0,
        "draws": 4,
        "shuffles": 19,
        "z_min": 2.0,
        "samples": 2,
        "sample_steps": 2,
        "guidance": 3.0,
        "seed": 7,
    }
    return DenoiserConfig.model_validate({**values, **changes})


def made_samples(store: ObjectStore, count: int = 24, *, told: bool = True) -> pl.DataFrame:
    """image_id, split, uri, offset, length and prompts of latents that lie in one file.

    A latent [4, 8, 8 or 12] is noise about a level, which the prompt's colour tells where `told`.
    """
    draws = np.random.default_rng(3)
    rows, data = [], b""
    for number in range(count):
        width = 8 if number % 3 else 12
        colour = number % len(COLOURS)
        latent = draws.normal(size=(4, 8, width)).astype(np.float32)
        latent[colour] += 3.0
        word = COLOURS[colour] if told else COLOURS[draws.integers(len(COLOURS))]
        buffer = BytesIO()
        np.save(buffer, latent, allow_pickle=False)
        rows.append(
            {
                "image_id": f"{number:032x}",
                "split": "train" if number % 4 else "validation",
                "uri": store.uri("made/latents.bin"),
                "offset": len(data),
                "length": len(buffer.getvalue()),
                "prompts": [f"1girl, {word}", f"{word}, smile"],
            }
        )
        data += buffer.getvalue()
    store.put("made/latents.bin", data)
    return pl.DataFrame(rows)


def no_families() -> pl.DataFrame:
    """Every image is a family of its own."""
    return pl.DataFrame(schema={"image_id": pl.String, "family": pl.String})


class Training:
    """The folds of a denoiser on a store."""

    def __init__(
        self, store: ObjectStore, vae: VaeConfig, config: DenoiserConfig, samples: pl.DataFrame
    ) -> None:
        self.store, self.vae, self.config = store, vae, config
        self.rows = folded(samples, no_families(), config)
        self.units = fold_units(self.rows, config.folds, "digest of the latents")
        self.names = [name.removesuffix(SUFFIX) for name in self.units]
        self.folder = denoiser_parts_path(denoiser_fingerprint(config, vae))

    def job_config(self) -> dict[str, object]:
        """What the job is told, but for its place."""
        return {
            "storage": self.store.url,
            "parts": self.folder,
            "release": "small",
            "recipe": "plain",
            "denoiser": self.config.model_dump(mode="json"),
            "vae": self.vae.model_dump(mode="json"),
        }

    def run(self, work: Path, rank: int = 0, world: int = 1) -> dict:
        """One worker's share in this process; what its progress file says at the end."""
        return work_here(main, self.job_config(), self.units, work, rank, world)

    def publish(self, **changes) -> Manifest:
        """Put together what the folds gave."""
        values = {"inputs": {"latents/small": "1"}, "code_version": "1", **changes}
        return publish_denoiser(
            self.store,
            "small",
            self.config,
            self.rows,
            folder=self.folder,
            units=self.names,
            **values,
        )

    def files(self) -> dict[str, bytes]:
        """All that the folds wrote, but for how long it took."""
        found = contents(self.store, self.folder)
        return {
            path: json.dumps({**json.loads(data), "seconds": None}).encode()
            if path.endswith(".json")
            else data
            for path, data in found.items()
        }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    """A store with the denoiser of a release `small`, which is of no use but to draw."""
    store = ObjectStore(str(tmp_path_factory.mktemp("trained")))
    vae = drawn_vae(tmp_path_factory.mktemp("vae"))
    training = Training(store, vae, small_config(), made_samples(store))
    training.run(tmp_path_factory.mktemp("work"))
    training.publish()
    put_buckets(store)
    return store


def put_buckets(store: ObjectStore) -> None:
    """A manifest of latents of which only the buckets are read."""
    manifest = Manifest(
        name="small",
        root="latents/small/0",
        digest="0",
        config={},
        config_digest="0",
        inputs={},
        code_version="1",
        counts={"buckets": {"96x64": 8, "64x64": 16}},
        files={},
    )
    store.put(f"{latents_path('small')}/manifest.json", manifest.to_json())


def workers() -> list[int]:
    """The processes that this one started for the training."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid() and b"dataproc_assets.jobs.train_denoiser" in words:
            found.append(int(path.name))
    return found
