"""The gallery: the only asset that draws pictures, after the quarantine is known."""

from dataclasses import asdict, replace
from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.defs.near_duplicates import everything
from dataproc_assets.defs.result import gallery_links, table_result
from dataproc_assets.defs.shown import shown_state, shown_tables
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.funnel import funnel
from dataproc_assets.gallery.build import build_gallery
from dataproc_assets.gallery.index import Embedded
from dataproc_assets.gallery.samples import denoiser_figures
from dataproc_assets.gallery.tables import SCHEMAS, GalleryTables
from dataproc_assets.jobs.decode import decode
from dataproc_assets.models.base import DecodedImage
from dataproc_assets.release.denoiser import CURVE, DRAWN
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.release.previews import read_previews
from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import denoiser_path, release_path
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets.storage.withdrawn import present_name


def gallery(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
    """Draw the pages; the table of this stage lists their files."""
    inputs, limits = lake.inputs("gallery", None), lake.project.profile.decode

    def read_picture(uri: str, offset: int | None, length: int | None) -> DecodedImage:
        return decode(read_address(uri, offset, length, limits.max_bytes), limits)

    done = build_gallery(
        lake.store,
        gallery_tables(lake),
        read_picture,
        lake.project.gallery,
        _embedded(lake),
        shown_state(lake),
    )
    pages = pl.DataFrame({"path": [done.path], "digest": [done.digest]})
    info = lake.write("gallery", None, pages, key="path", inputs=inputs)
    context.log.info(
        f"gallery: {done.pages} pages, {done.thumbs} pictures, {done.withheld} withheld"
    )
    metadata = {
        **asdict(done),
        "missing": dg.MetadataValue.json(done.missing),
        "pages_at": dg.MetadataValue.url(f"{lake.project.gallery.served_at}/index.html"),
        **gallery_links(lake, "", {}),
    }
    return table_result(lake, "gallery", None, info, metadata)


def gallery_tables(lake: Lake) -> GalleryTables:
    """Everything that the pages show."""
    project = lake.project
    below = lake.read("borderline").filter(pl.col("kind").is_null())
    names = {name: present_name(lake.store, name) for name in project.releases}
    manifests = [read_manifest(lake.store, release_path(name)) for name in names.values()]
    trained = [read_manifest(lake.store, denoiser_path(names[name])) for name in sorted(names)]
    there = {manifest.name for manifest in manifests if manifest}
    denoisers = [manifest for manifest in trained if manifest and manifest.name in there]
    return replace(
        shown_tables(lake),
        edges=pl.concat([lake.read("dedup_cross"), below]).collect(),
        addresses=lake.read_all("inventory").collect(),
        funnel=funnel(lake),
        previews=_previews(lake),
        releases=[_told(manifest) for manifest in manifests if manifest],
        drawn=_drawn(lake, denoisers),
        denoisers=[_figures(lake, manifest) for manifest in denoisers],
    )


def _embedded(lake: Lake) -> Embedded:
    """The vectors of all pictures, by the metric whose embeddings are compared."""
    found, metric = everything(lake), lake.project.dedup.embedding
    return Embedded(lake.parts.fingerprint(metric), found.keys, found.vectors)


def _drawn(lake: Lake, denoisers: list[Manifest]) -> pl.DataFrame:
    """What the releases' denoisers drew of held-out prompts, but those of revoked images."""
    schema = SCHEMAS["drawn"]
    frames = [
        from_parquet(lake.store.get(f"{manifest.root}/{DRAWN}"))
        .join(read_train(lake.store, manifest.name), on="image_id", how="semi")
        .with_columns(release=pl.lit(manifest.name))
        .select(schema.names())
        for manifest in denoisers
    ]
    return pl.concat([schema.to_frame(), *frames])


def _figures(lake: Lake, manifest: Manifest) -> dict[str, Any]:
    curve = from_parquet(lake.store.get(f"{manifest.root}/{CURVE}"))
    return denoiser_figures(_told(manifest), curve)


def _told(manifest: Manifest) -> dict[str, Any]:
    """A manifest, without what a bucket calls the versions of its files: pages do not show them,
    and are the same wherever the release lies."""
    files = {path: replace(entry, version=None) for path, entry in manifest.files.items()}
    return asdict(replace(manifest, files=files))


def _previews(lake: Lake) -> pl.DataFrame:
    """The decoded latents that the encoding kept a picture of."""
    vaes, decode_config = lake.project.vaes, lake.project.profile.decode
    frames = [
        read_previews(lake.store, latent_fingerprint(vaes[release.latents.vae], decode_config))
        for name, release in sorted(lake.project.releases.items())
        if release.latents and lake.state("latents", name)
    ]
    schema = {"sha256": pl.String, "psnr": pl.Float64, "preview": pl.Binary}
    return pl.concat([pl.DataFrame(schema=schema), *frames]).unique("sha256", keep="first")


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The asset of this module."""
    return [stage_asset(lake, gallery, automatic=True)]
