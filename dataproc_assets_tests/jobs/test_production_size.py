"""Models as large as production's, their weights made on the spot, through the real jobs."""

import gc
import hashlib
from pathlib import Path

import numpy as np
import open_clip
import polars as pl
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.config.metrics import OpenClip
from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.weights import File
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.jobs.cut import cut, to_signed
from dataproc_assets.models import load
from dataproc_assets.models.weights import read_verified
from dataproc_assets.storage.layout import latent_part_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets_tests.jobs.encoding import encode_here, encode_job
from dataproc_assets_tests.jobs.passes import pass_job, read_part, run_here
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.models.drawn import ldm_names, pinned, vae_folder

SAMPLE = Path(__file__).parents[2] / "sample_crawl" / "crawl"
SIDE = 64  # of the buckets that pictures are encoded in

pytestmark = pytest.mark.slow


def pictures(count: int) -> list[Path]:
    """Real pictures of the sample crawl, small ones."""
    found = sorted(path for path in SAMPLE.rglob("*.png") if path.stat().st_size < 200_000)
    return found[:count]


@pytest.fixture
def clip(tmp_path):
    """The production metric over a ViT-L/14 in half precision, and what open_clip embeds."""
    torch.manual_seed(0)
    model = open_clip.create_model("ViT-L-14-quickgelu", load_weights=False).eval()
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(tensor.half())
    weights = tmp_path / "open_clip_model.safetensors"
    save_file({name: tensor.half() for name, tensor in model.state_dict().items()}, weights)
    assert weights.stat().st_size > 800_000_000
    transform = open_clip.image_transform(
        224,
        is_train=False,
        mean=open_clip.OPENAI_DATASET_MEAN,
        std=open_clip.OPENAI_DATASET_STD,
    )
    with torch.inference_mode():
        expected = [
            model.encode_image(transform(Image.open(path).convert("RGB"))[None], normalize=True)
            for path in pictures(3)
        ]
    del model
    gc.collect()
    metric = load_project(metrics="production").metrics["clip"]
    assert isinstance(metric, OpenClip)
    digest = hashlib.file_digest(weights.open("rb"), "sha256").hexdigest()
    encoder = metric.encoder.model_copy(update={"weights": File(uri=str(weights), sha256=digest)})
    yield metric.model_copy(update={"encoder": encoder}), torch.cat(expected).numpy()
    load._encoders.clear()  # gigabytes that no other test reads
    gc.collect()


def test_a_vit_l_of_full_size_goes_through_the_metric_pass(tmp_path, clip):
    metric, expected = clip
    rows = [
        (f"pixiv/{index}_p0", "v", str(path), None, None, ["clip"])
        for index, path in enumerate(pictures(3))
    ]
    store = tmp_path / "store"
    done = run_here(pass_job(store, {"u": rows}, (metric,)), tmp_path)
    assert (done["done"], done["errors"]) == (3, {})
    part = read_part(store, metric, "u")
    embeddings = part["clip_embedding"].to_numpy().astype(np.float64)
    assert part["status"].to_list() == ["ok"] * 3
    assert embeddings.shape == (3, 768)
    assert np.abs(embeddings - expected).max() < 2e-3
    assert "clip_score" not in part.columns
    norms = np.linalg.norm(embeddings, axis=1)
    assert norms == pytest.approx(1, abs=2e-3)


def sdxl(folder: Path) -> tuple[VaeConfig, VaeConfig, AutoencoderKL]:
    """SDXL's autoencoder, drawn: its YAML over an LDM file, and a folder of diffusers."""
    shipped = read_yaml(CONF / "vaes" / "sdxl.yaml", VaeConfig)
    _, architecture = shipped.file("architecture")
    (folder / "config.json").write_bytes(read_verified(architecture, "conf/vaes/sdxl.yaml"))
    torch.manual_seed(0)
    settings = AutoencoderKL.load_config(folder)
    model = AutoencoderKL.from_config(settings).eval()
    assert sum(tensor.numel() for tensor in model.parameters()) == 83_653_863
    single = folder / "sdxl_vae.safetensors"
    whole = {f"first_stage_model.{name}": tensor for name, tensor in ldm_names(model).items()}
    save_file({**whole, "model.diffusion_model.out.0.weight": torch.zeros(1)}, single)
    model.save_pretrained(folder)
    ldm = shipped.model_copy(update={"weights": pinned(single)})
    diffusers = vae_folder(folder, model.config, name="sdxl")
    return ldm, diffusers, model


def test_sdxls_autoencoder_goes_through_the_encoding_as_file_and_as_folder(tmp_path):
    ldm, diffusers, model = sdxl(tmp_path)
    (path,) = pictures(1)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    row = {"sha256": sha256, "uri": str(path), "offset": None, "length": None}
    todo = pl.DataFrame([row], schema_overrides={"offset": pl.Int64, "length": pl.Int64})
    todo = todo.with_columns(bucket_width=pl.lit(SIDE, pl.Int32), bucket_height=SIDE)
    todo = todo.with_columns(pl.col("bucket_height").cast(pl.Int32))
    pixels, _ = cut(Image.open(path).convert("RGB"), SIDE, SIDE)
    with torch.inference_mode():
        expected = model.encode(torch.from_numpy(to_signed(pixels[None]))).latent_dist.mode()
    del model
    latents = []
    for name, vae in (("file", ldm), ("folder", diffusers)):
        store = tmp_path / name
        done = encode_here(encode_job(store, vae, {"u.todo.parquet": to_parquet(todo)}), tmp_path)
        assert (done["done"], done["errors"]) == (1, {})
        where = latent_part_path(latent_fingerprint(vae, WHITE), "u")
        part = from_parquet(ObjectStore(str(store)).get(where))
        latents.append(np.frombuffer(part["latent"][0], "<f4").reshape(1, 4, 8, 8))
    assert np.array_equal(latents[0], latents[1])
    assert np.abs(latents[0] - expected.numpy()).max() < 1e-4
    assert np.abs(latents[0]).max() > 1e-3
