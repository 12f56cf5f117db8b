"""Denoiser: a small model that a release's latents and prompts are proven with."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from dataproc_assets.config.denoiser import DenoiserConfig, denoiser_fingerprint
from dataproc_assets.config.releases import LatentsConfig, ReleaseConfig
from dataproc_assets.dedup import families
from dataproc_assets.defs.checks import denoiser as checks
from dataproc_assets.defs.pipes import messages
from dataproc_assets.defs.run_pass import progress_log
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.loader import LatentBatches
from dataproc_assets.models.check import require
from dataproc_assets.release.denoiser import publish_denoiser
from dataproc_assets.release.folds import fold_units, folded
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.runners import Job, make_runner
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import (
    denoiser_parts_path,
    denoiser_path,
    done_path,
    latents_path,
    losses_path,
)
from dataproc_assets.storage.units import SUFFIX
from dataproc_assets.storage.withdrawn import present_name


def denoiser(context: dg.AssetExecutionContext, lake: Lake, name: str) -> dg.MaterializeResult:
    """Train a denoiser a fold, where that was not done yet, and put together what they gave."""
    release = lake.project.releases[name]
    config, latents = release.denoiser, release.latents
    if config is None or latents is None:
        raise dg.Failure(f"conf/releases/{name}.yaml has no section 'denoiser'; add one to train")
    inputs = lake.inputs("denoiser", name)
    rows, units = _folds(lake, release, config)
    folder = denoiser_parts_path(denoiser_fingerprint(config, lake.project.vaes[latents.vae]))
    seconds = _train(context, lake, release, config, latents, folder, units)
    manifest = publish_denoiser(
        lake.store,
        present_name(lake.store, name),
        config,
        rows,
        folder=folder,
        units=[unit.removesuffix(SUFFIX) for unit in units],
        inputs=inputs,
        code_version=lake.code_version("denoiser", name),
    )
    _say(context, manifest)
    return dg.MaterializeResult(
        asset_key="denoiser",
        data_version=dg.DataVersion(lake.state("denoiser", name)),
        metadata={
            "dagster/uri": lake.store.uri(denoiser_path(manifest.name)),
            "seconds": seconds,
            "proof": dg.MetadataValue.json(manifest.counts),
            "card": dg.MetadataValue.md(lake.store.get(f"{manifest.root}/README.md").decode()),
        },
    )


def _folds(
    lake: Lake, release: ReleaseConfig, config: DenoiserConfig
) -> tuple[pl.DataFrame, dict[str, bytes]]:
    """The images that take part, and the unit files of the folds by name."""
    latents = read_manifest(lake.store, latents_path(present_name(lake.store, release.name)))
    assert latents is not None  # else the loader has said so
    found = []
    for split in release.splits:
        batches = LatentBatches(lake.store.url, release.name, split=split, batch_size=1)
        found.append(batches.samples.with_columns(split=pl.lit(split)))
    alike = families(lake.read("members").collect(), lake.read("dedup_cross").collect())
    places = {shard: lake.store.uri(f"{latents.root}/{shard}") for shard in latents.files}
    rows = pl.concat(found).with_columns(uri=pl.col("shard").replace_strict(places))
    rows = folded(rows, alike, config)
    return rows, fold_units(rows, config.folds, latents.digest)


def _train(
    context: dg.AssetExecutionContext,
    lake: Lake,
    release: ReleaseConfig,
    config: DenoiserConfig,
    latents: LatentsConfig,
    folder: str,
    units: dict[str, bytes],
) -> float:
    """Run the training job over the folds that are not done; returns its seconds.

    Raises:
        WeightsError: a file of the VAE is missing or another one; no worker was started.
    """
    left = {
        name: data
        for name, data in units.items()
        if not lake.store.exists(done_path(losses_path(folder, name.removesuffix(SUFFIX))))
    }
    if not left:
        return 0.0
    profile, vae = lake.project.profile, lake.project.vaes[latents.vae]
    if profile.runner.kind == "local":  # elsewhere are other files, which the workers verify
        require(vae)
    job_config = {
        "storage": lake.store.url,
        "parts": folder,
        "release": release.name,
        "recipe": release.recipes[0],
        "denoiser": config.model_dump(mode="json"),
        "vae": vae.model_dump(mode="json"),
    }
    name = f"denoiser-{release.name}"
    job = Job("dataproc_assets.jobs.train_denoiser", job_config, left, name)
    runner = make_runner(profile.runner, lake.store.url, messages(context))
    result = runner.run(job, progress_log(context, name, "steps"))
    if result.joined:
        context.log.info(f"{name}: {result.joined} already ran and has ended; now what it left")
        return _train(context, lake, release, config, latents, folder, units)
    return result.seconds


def _say(context: dg.AssetExecutionContext, manifest: Manifest) -> None:
    counts = manifest.counts
    gain = counts["over_shuffled"]
    context.log.info(
        f"denoiser {manifest.name}: on {counts['images']} held-out images the true prompts lose "
        f"{gain['mean']:.5f} ± {gain['standard_error']:.5f} less than {counts['shuffles']} "
        f"shuffled ones (z {gain['z']:.1f}, p {counts['p']:.3f})"
    )


def assets(lake: Lake) -> Sequence[dg.AssetsDefinition]:
    """The asset of this module."""
    return [stage_asset(lake, denoiser, checks=checks.DENOISER, pool="gpu")]
