"""A small VAE with drawn weights, and the job that encodes with it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.weights import File
from dataproc_assets.jobs.encode_latents import main
from dataproc_assets.models.weights import locate
from dataproc_assets.runners import Job
from dataproc_assets_tests.jobs.here import work_here
from dataproc_assets_tests.jobs.pictures import WHITE

ARCHITECTURE = "package:dataproc_assets/models/weights/vae.json"


def drawn_vae(folder: Path) -> VaeConfig:
    """The demo VAE's architecture with weights from a fixed seed, saved in a folder."""
    architecture = locate(ARCHITECTURE).read_bytes()
    torch.manual_seed(0)
    model = AutoencoderKL.from_config(json.loads(architecture))
    weights = folder / "drawn.safetensors"
    save_file(model.state_dict(), weights)
    return VaeConfig(
        name="drawn",
        architecture=File(uri=ARCHITECTURE, sha256=hashlib.sha256(architecture).hexdigest()),
        weights=File(uri=str(weights), sha256=hashlib.sha256(weights.read_bytes()).hexdigest()),
        channels=4,
        factor=8,
        scaling=1.0,
        version=1,
    )


def encode_job(
    store: Path, vae: VaeConfig, units: Mapping[str, bytes], sample_share: float = 0.0
) -> Job:
    """The encoding of unit files."""
    return Job(
        module="dataproc_assets.jobs.encode_latents",
        config={
            "storage": str(store),
            "vae": vae.model_dump(mode="json"),
            "decode": WHITE.model_dump(),
            "batch_size": 2,
            "sample_share": sample_share,
        },
        units=units,
        name="latents-small",
    )


def encode_here(job: Job, folder: Path, rank: int = 0, world: int = 1) -> dict:
    """One worker's share of the job in this process; what its progress file says at the end."""
    return work_here(main, job.config, job.units, folder, rank, world)
