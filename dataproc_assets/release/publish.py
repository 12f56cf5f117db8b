"""Publishing a release: everything is written, then one manifest makes it visible."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.release.build import Build, Published, publish_once
from dataproc_assets.release.card import dataset_card
from dataproc_assets.release.differences import differences
from dataproc_assets.release.formats import sd_scripts_metadata, sd_scripts_name
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.release.revoked import revoked_of
from dataproc_assets.release.rows import (
    ADDRESS,
    located,
    read_tables,
    release_counts,
    table_name,
)
from dataproc_assets.release.samples import Read
from dataproc_assets.release.select import Step
from dataproc_assets.release.shards import Say, write_shards
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.layout import release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.withdrawn import present_name, withdrawals

FORMAT = 2


class ForbiddenImageError(Exception):
    """A row that must never be released was about to be."""


class WithdrawnError(Exception):
    """The name stands for a release that was withdrawn, and is never given again."""


def publish(
    store: ObjectStore,
    config: ReleaseConfig,
    table: pl.DataFrame,
    *,
    addresses: pl.DataFrame,
    inputs: dict[str, str],
    settings: dict[str, Any] | None = None,
    revokers: Sequence[str] = (),
    forbidden: Collection[str],
    code_version: str,
    funnel: Iterable[Step] = (),
    recipes: Mapping[str, RecipeConfig] | None = None,
    read: Read = read_address,
    writers: int | None = None,
    say: Say = lambda line: None,
) -> Published:
    """Write a release, or verify the one of the same content that is there.

    Args:
        store: the storage root; the release goes below `releases/{name}`.
        table: what `train_table` returned; its `representative` is looked up in `addresses`.
        addresses: `image_key`, `uri`, `offset`, `length`, `size` (bytes), `ext`: the inventories.
        inputs: the digests of the stage tables that `table` was made of, by name.
        settings: what of the configuration decided over the rows, for the manifest.
        revokers: the public keys whose revocations readers of the release honour.
        forbidden: image_ids that must not be written. Recompute it: this is the last gate.
        recipes: by name, for the dataset card, which tells their order.
        read: gives an address's bytes.
        writers: shards written at a time, by default one a processor.
        say: takes a line of progress, now and then.

    Raises:
        ForbiddenImageError: a row is forbidden; nothing was written.
        WithdrawnError: a release of this name was withdrawn; nothing was written.
        ReleaseExistsError: the name is published with other content.
        ReleaseDamagedError: the same content is published, but its files are not intact.
        ChangedImageError: an image is no longer the one that was scored.
        ValueError: the table is empty, or an image has no address.
    """
    _refuse_withdrawn(store, config)
    _refuse(config, table, forbidden)
    rows = located(config, table, addresses)
    train = rows.drop(*ADDRESS)
    content = config.model_dump(mode="json", exclude={"latents", "schedule", "denoiser"})
    digest = json_digest({"format": FORMAT, "config": content, "rows": frame_digest(train)})

    def fill(build: Build) -> Manifest:
        if "webdataset" in config.formats:
            write_shards(build, config, rows, read, writers=writers, say=say)
        counts = release_counts(config, train, funnel)
        write_tables(build, config, train, counts, recipes or {})
        _refuse_withdrawn(store, config)  # it may have been published and purged meanwhile
        return build.manifest(
            config.name,
            content,
            inputs=inputs,
            counts=counts,
            settings=settings,
            revokers=revokers,
        )

    def conflict(existing: Manifest) -> str:
        return (
            f"release {config.name!r} is published at {store.uri(release_path(config.name))} with "
            f"the digest {existing.digest[:16]} and never changes. What differs:\n"
            + "\n".join(f"- {line}" for line in differences(store, existing, content, train))
            + f"\nTo publish this content, copy conf/releases/{config.name}.yaml to a new file in "
            "conf/releases and give it a new `name`."
        )

    folder = release_path(config.name)
    try:
        return publish_once(store, folder, digest, code_version, fill, conflict)
    except FileNotFoundError:
        _refuse_withdrawn(store, config)  # then it was deleted while it was written
        raise


def read_train(store: ObjectStore, name: str) -> pl.DataFrame:
    """The rows of a published release, of all splits, without those that are revoked.

    Of a release that was withdrawn, the rows of the one in its place.

    Raises:
        FileNotFoundError: it is not published.
        RevocationError: a revocation cannot be trusted.
    """
    manifest = read_manifest(store, release_path(present_name(store, name)))
    if manifest is None:
        raise FileNotFoundError(
            f"{store.uri(release_path(name))}: release {name!r} is not published"
        )
    return revoked_of(store, manifest).without(read_tables(store, manifest))


def _refuse_withdrawn(store: ObjectStore, config: ReleaseConfig) -> None:
    found = withdrawals(store, config.name)
    if found:
        told = "; ".join(map(str, found))
        raise WithdrawnError(
            f"{told}. The name {config.name!r} is never given again: copy "
            f"conf/releases/{config.name}.yaml to a new file there, with a new `name`"
        )


def _refuse(config: ReleaseConfig, table: pl.DataFrame, forbidden: Collection[str]) -> None:
    if table.is_empty():
        raise ValueError(
            f"release {config.name!r} would be empty; loosen `select` in "
            f"conf/releases/{config.name}.yaml, or see which step of the funnel took all rows"
        )
    hits = table.filter(pl.col("image_id").is_in(list(forbidden)))["image_id"].sort()
    if len(hits):
        raise ForbiddenImageError(
            f"release {config.name!r}: {len(hits)} of its rows are forbidden (first: "
            f"{', '.join(hits.head(3))}); nothing was written. Make `sanitized` again, which must "
            "drop them"
        )


def write_tables(
    build: Build,
    config: ReleaseConfig,
    train: pl.DataFrame,
    counts: dict[str, Any],
    recipes: Mapping[str, RecipeConfig],
) -> None:
    """Write what of a release is made of its rows alone: tables, sd-scripts' metadata, the card.

    Args:
        train: the rows of all splits, with the `shard` of each.
        counts: as `release_counts` gives them.
        recipes: by name, for the card.
    """
    for split in config.splits:
        rows = train.filter(pl.col("split") == split)
        build.write(table_name(split), to_parquet(rows), rows.height)
        if "sd_scripts" in config.formats:
            for recipe in config.recipes:
                data = sd_scripts_metadata(rows, recipe)
                build.write(sd_scripts_name(recipe, split), data, rows.height)
    if "huggingface" in config.formats:
        build.write("README.md", dataset_card(config, counts, train, recipes).encode())
