"""Release: an immutable dataset, its latents, and the gallery of everything."""

import dagster as dg
import polars as pl

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.config.releases import LatentsConfig, ReleaseConfig, Select
from dataproc_assets.config.settings import settings
from dataproc_assets.dedup import LEDGER_SCHEMA, families, new_founders
from dataproc_assets.defs.checks import release as checks
from dataproc_assets.defs.flags import flags
from dataproc_assets.defs.pipes import messages
from dataproc_assets.defs.result import gallery_links
from dataproc_assets.defs.review import review
from dataproc_assets.defs.run_pass import job_metadata, progress_log
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.models.check import require
from dataproc_assets.release.bucket_table import bucket_table
from dataproc_assets.release.encoded import latent_index, latent_todo, latent_units
from dataproc_assets.release.latents import publish_latents
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.publish import publish, read_train
from dataproc_assets.release.select import Selection, train_table
from dataproc_assets.runners import Job, make_runner
from dataproc_assets.safety.flags import DROP_FLAGS
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import append_ledger, read_ledger
from dataproc_assets.storage.versions import ensure_versioning


def release(context: dg.AssetExecutionContext, lake: Lake, name: str) -> dg.MaterializeResult:
    """Publish a release; what is unsafe is found afresh here, whatever the checks before said."""
    ensure_versioning(lake.store, lake.project.profile.storage.versioning)
    config = lake.project.releases[name]
    selection = selected(lake, config)
    inputs = {f"sanitized/{r}": lake.state("sanitized", r) for r in config.recipes}
    published = publish(
        lake.store,
        config,
        selection.table,
        addresses=lake.read_all("inventory").collect(),
        inputs={"images": lake.state("images", None), **inputs},
        settings=settings(lake.project),
        revokers=lake.project.takedown.public_keys,
        forbidden=_forbidden(lake, lake.read("images").collect(), config.recipes),
        code_version=lake.code_version("release", name),
        funnel=selection.funnel,
        recipes=lake.project.recipes,
        say=context.log.info,
    )
    founders = _founders(lake, selection.table).with_columns(release=pl.lit(name))
    append_ledger(lake.store, "identity", founders)
    verb = "published" if published.created else "is published already, and intact"
    context.log.info(f"release {name} {verb}: {selection.table.height} images")
    return _manifest_result(lake, "release", name, published.manifest)


def selected(lake: Lake, config: ReleaseConfig) -> Selection:
    """What a release holds of the tables as they are."""
    images = with_scores(lake, lake.read("images").collect(), config.select)
    sanitized = {recipe: lake.read("sanitized", recipe).collect() for recipe in config.recipes}
    alike = families(lake.read("members").collect(), lake.read("dedup_cross").collect())
    return train_table(images, sanitized, config, alike)


def with_scores(lake: Lake, images: pl.DataFrame, select: Select) -> pl.DataFrame:
    """Add the representative's columns that a release selects by, where `images` has them not."""
    asked = [name for name in select.scores if name not in images.columns]
    if not asked:
        return images
    known = []
    for source in sorted(lake.project.sources):
        own = (pl.col(f"{source}__{name}").alias(name) for name in asked)
        known.append(lake.read("augmented", source).select("image_key", *own))
    rows = pl.concat(known).rename({"image_key": "representative"}).collect()
    return images.join(rows, on="representative", how="left", maintain_order="left")


def latents(context: dg.AssetExecutionContext, lake: Lake, name: str) -> dg.MaterializeResult:
    """Encode what no release has encoded yet, and assemble this release's latents."""
    config = lake.project.releases[name]
    if config.latents is None:
        raise dg.Failure(f"conf/releases/{name}.yaml has no section 'latents'; add one to encode")
    ensure_versioning(lake.store, lake.project.profile.storage.versioning)
    vae, decode = lake.project.vaes[config.latents.vae], lake.project.profile.decode
    done = _encode(context, lake, name, config.latents)
    published = publish_latents(
        lake.store, config, vae, decode, code_version=lake.code_version("latents", name)
    )
    counts = published.manifest.counts
    if small := counts["small_buckets"]:
        context.log.warning(
            f"{len(small)} buckets have fewer than {config.latents.small_bucket} images: "
            f"{', '.join(small[:10])}; a batch of one of them is not full"
        )
    result = _manifest_result(lake, "latents", name, published.manifest)
    table = {"buckets": dg.MetadataValue.md(bucket_table(counts))}
    return result._replace(metadata={**(result.metadata or {}), **table, **done})


def _encode(
    context: dg.AssetExecutionContext, lake: Lake, name: str, config: LatentsConfig
) -> dict[str, object]:
    """Run the encoding job over the images that have no latent.

    Raises:
        WeightsError: a file of the VAE is missing or another one; no worker was started.
    """
    profile, vae = lake.project.profile, lake.project.vaes[config.vae]
    index = latent_index(lake.store, latent_fingerprint(vae, profile.decode))
    addresses = lake.read_all("inventory").collect()
    todo = latent_todo(read_train(lake.store, name), config.buckets, index, addresses)
    units = latent_units(todo, profile.storage.unit_images)
    if not units:
        return {"encoded_now": 0}
    if profile.runner.kind == "local":  # elsewhere are other files, which the workers verify
        require(vae)
    job_config = {
        "storage": lake.store.url,
        "vae": vae.model_dump(mode="json"),
        "decode": profile.decode.model_dump(mode="json"),
        "batch_size": config.batch_size,
        "sample_share": config.sample_share,
    }
    job = Job("dataproc_assets.jobs.encode_latents", job_config, units, f"latents-{name}")
    runner = make_runner(profile.runner, lake.store.url, messages(context))
    result = runner.run(job, progress_log(context, name))
    if result.joined:
        context.log.info(f"{name}: {result.joined} already ran and has ended; now what it left")
        return _encode(context, lake, name, config)
    return job_metadata(result)


def _forbidden(lake: Lake, images: pl.DataFrame, recipes: list[str]) -> set[str]:
    """The ids of all images that must not go out, from all records as they now are.

    An image goes out when its representative is known, when no flag that drops stands against that
    or another of its members, and when no prompt that a recipe keeps would be dropped now.
    """
    dropped = pl.col("flags").list.set_intersection(list(DROP_FLAGS)).list.len() > 0
    known = flags(lake).select("image_key", dropped=dropped).collect()
    against = known.filter("dropped")
    names = images.select("image_id", image_key="representative")
    members = images.select("image_id", image_key="members").explode("image_key")
    found = [
        names.join(known, on="image_key", how="anti"),
        *[keys.join(against, on="image_key", how="semi") for keys in (names, members)],
        *[review(lake, recipe).wrong for recipe in recipes],
    ]
    return {image for frame in found for image in frame["image_id"]}


def _founders(lake: Lake, released: pl.DataFrame) -> pl.DataFrame:
    """What the identity ledger lacks of the released images: an id is bound once, for good."""
    bound = read_ledger(lake.store, "identity").select(*LEDGER_SCHEMA)
    founders = new_founders(lake.read("members").collect(), bound)
    return founders.join(released, on="image_id", how="semi")


def _manifest_result(lake: Lake, asset: str, name: str, manifest: Manifest) -> dg.MaterializeResult:
    path = layout.release_path if asset == "release" else layout.latents_path
    versions = {path: entry.version for path, entry in manifest.files.items() if entry.version}
    served = lake.project.gallery.served_at
    return dg.MaterializeResult(
        asset_key=asset,
        data_version=dg.DataVersion(lake.state(asset, name)),
        metadata={
            "dagster/row_count": manifest.counts["images"],
            "dagster/uri": lake.store.uri(path(manifest.name)),
            "digest": manifest.digest,
            "files": len(manifest.files),
            "bytes": sum(entry.size for entry in manifest.files.values()),
            "counts": dg.MetadataValue.json(manifest.counts),
            "gallery": dg.MetadataValue.url(f"{served}/release.html"),
            **gallery_links(lake, "is:kept", {}),
            **({"versions": dg.MetadataValue.json(versions)} if versions else {}),
        },
    )


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    return [
        stage_asset(lake, release, checks=checks.RELEASE),
        stage_asset(lake, latents, checks=checks.LATENTS, pool="gpu"),
    ]
