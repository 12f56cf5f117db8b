"""Small releases of the small crawl, published here with their latents."""

from pathlib import Path
from tempfile import TemporaryDirectory

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.release.encoded import latent_index, latent_todo, latent_units
from dataproc_assets.release.latents import publish_latents
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.release.publish import publish, read_train
from dataproc_assets.release.select import train_table
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.jobs.encoding import drawn_vae, encode_here, encode_job
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.release.crawl import Crawl, release_config

LATENTS = {
    "vae": "drawn",
    "buckets": {"pixels": 16384, "step": 32, "min_side": 64, "max_side": 256},
    "dtype": "float32",
    "batch_size": 2,
    "sample_share": 1.0,
    "small_bucket": 4,
    "shard": {"bytes_max": 10_000},
}
CONFIG = release_config(latents=LATENTS)


def run(store, crawl, config=None, **changes):
    config = config or release_config()
    selection = train_table(crawl.images, crawl.sanitized, config)
    arguments = {
        "addresses": crawl.addresses,
        "inputs": {"images": "1" * 64},
        "forbidden": set(),
        "code_version": "1",
        "funnel": selection.funnel,
    }
    return publish(store, config, changes.pop("table", selection.table), **arguments | changes)


def units_of(store, vae, crawl, config=CONFIG) -> dict[str, bytes]:
    index = latent_index(store, latent_fingerprint(vae, WHITE))
    buckets = config.latents.buckets
    todo = latent_todo(read_train(store, config.name), buckets, index, crawl.addresses)
    return latent_units(todo, 4)


def encode(store, vae, crawl, units=None):
    units = units or units_of(store, vae, crawl)
    job = encode_job(store.url, vae, units, CONFIG.latents.sample_share)
    with TemporaryDirectory() as folder:
        return encode_here(job, Path(folder))


def with_latents(
    store: ObjectStore, crawl: Crawl, folder: Path, config: ReleaseConfig = CONFIG
) -> VaeConfig:
    """Publish a release and its latents; the VAE's weights are drawn into the folder."""
    vae = drawn_vae(folder)
    run(store, crawl, config)
    encode(store, vae, crawl, units_of(store, vae, crawl, config))
    publish_latents(store, config, vae, WHITE, code_version="1")
    return vae


def tree(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def manifest_of(store: ObjectStore, name: str = "small", kind: str = "releases") -> Manifest:
    """What is published of a release, or of its latents where the kind is `latents`."""
    manifest = read_manifest(store, f"{kind}/{name}")
    assert manifest is not None
    return manifest
