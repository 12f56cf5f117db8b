"""What of a release is to be unpacked: a split, a recipe's prompts, and the latents if any."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import polars as pl

from dataproc_assets.release.extract import UnpackError
from dataproc_assets.release.formats import sd_scripts_metadata
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.release.revoked import revoked_of
from dataproc_assets.release.sd_scripts import cache_suffix, cautions
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import Withdrawn, present_name, withdrawals

FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\.[a-z0-9]{1,8}")


@dataclass(frozen=True)
class Plan:
    """What is to be unpacked: a split of a release by a recipe, and its latents where wanted.

    `entries` are sd-scripts' metadata by the images' file names, without those of `revoked`,
    which has the width and height of images that must not be unpacked. `withdrawn` are the
    releases that this one took the place of.
    """

    store: ObjectStore
    release: Manifest
    latents: Manifest | None
    recipe: str
    split: str
    entries: dict[str, dict[str, Any]]
    cautions: list[str] = field(default_factory=list)
    revoked: dict[str, tuple[int, int]] = field(default_factory=dict)
    withdrawn: list[Withdrawn] = field(default_factory=list)

    def shards(self) -> list[tuple[Manifest, str]]:
        """The tars of the images, then those of the latents."""
        split = re.escape(self.split)
        found = [(self.release, rf"webdataset/{split}-\d{{5,}}\.tar")]
        if self.latents is not None:
            found.append((self.latents, rf"webdataset/{split}-\d+x\d+-\d{{5,}}\.tar"))
        return [
            (manifest, path)
            for manifest, pattern in found
            for path in manifest.files
            if re.fullmatch(pattern, path)
        ]

    def bytes(self) -> int:
        """How many bytes the tars have together."""
        return sum(manifest.files[path].size for manifest, path in self.shards())


def plan_unpack(
    store: ObjectStore,
    name: str,
    *,
    recipe: str | None = None,
    split: str = "train",
    latents: bool = True,
    trusted: Collection[str] = (),
) -> Plan:
    """Find what is to be unpacked of a release; by default the prompts of its first recipe.

    Of a release that was withdrawn, it is what is in its place.

    Args:
        trusted: public keys whose revocations are honoured, beside those that the release names.

    Raises:
        FileNotFoundError: the release is not published.
        UnpackError: it has no such recipe or split, or no tars; its table was changed.
        RevocationError: a revocation cannot be trusted.
    """
    gone = withdrawals(store, name)
    release = read_manifest(store, release_path(present_name(store, name)))
    if release is None:
        told = str(gone[-1]) if gone else f"{name!r} is not published"
        raise FileNotFoundError(f"{store.uri(release_path(name))}: {told}")
    recipes = release.config["recipes"]
    chosen = recipe or recipes[0]
    if chosen not in recipes:
        raise UnpackError(f"release {name!r} has no recipe {chosen!r}: {', '.join(recipes)}")
    splits = [path.removesuffix(".parquet") for path in release.files if _is_table(path)]
    if split not in splits:
        raise UnpackError(f"release {name!r} has no split {split!r}: {', '.join(splits)}")
    if not any(path.endswith(".tar") for path in release.files):
        raise UnpackError(
            f"release {name!r} has no tars, where the images are: publish one with 'webdataset' "
            "among its formats"
        )
    encoded = read_manifest(store, latents_path(release.name)) if latents else None
    said = [str(each) for each in gone]
    if encoded is None and latents:
        said.append("no latents are published of this release: sd-scripts encodes the images")
    if encoded is not None:
        said += cautions(encoded.config)
        if encoded.inputs["release"] != release.digest:
            raise UnpackError(
                f"{store.uri(latents_path(release.name))} is of another release of the name "
                f"{release.name!r}; unpack with --no-latents, or remove that folder and make the "
                "latents again"
            )
        if cache_suffix(encoded.config) is None:
            encoded = None
    table = _table(store, release, chosen, split)
    revoked = revoked_of(store, release, trusted)
    left_out = revoked.among(table).select("file_name", "width", "height")
    if left_out.height:
        said.append(f"{left_out.height} images are revoked, and left out")
    entries = json.loads(sd_scripts_metadata(revoked.without(table), chosen))
    if encoded is not None:
        said += _failed(encoded, entries)
    without = {file: (width, height) for file, width, height in left_out.iter_rows()}
    return Plan(store, release, encoded, chosen, split, entries, said, without, gone)


def _table(store: ObjectStore, release: Manifest, recipe: str, split: str) -> pl.DataFrame:
    path = f"{release.root}/{split}.parquet"
    data = store.get(path)
    if bytes_digest(data) != release.files[f"{split}.parquet"].sha256:
        raise UnpackError(
            f"{store.uri(path)} is not what was published; restore it from a copy, then "
            "`dataproc release verify` tells whether all is well"
        )
    columns = ["file_name", "width", "height", "sha256", f"prompts__{recipe}"]
    table = pl.read_parquet(BytesIO(data), columns=columns)
    for file in table["file_name"]:
        if not FILE_NAME.fullmatch(file):
            raise UnpackError(f"{store.uri(path)}: {file!r} can name no file of this folder")
    return table


def _failed(latents: Manifest, entries: Collection[str]) -> list[str]:
    stems = {file.partition(".")[0] for file in entries}
    failed = sorted(stems & set(latents.counts["failed"]))
    if not failed:
        return []
    return [
        f"{len(failed)} images have no latent (first: {failed[0]}): sd-scripts encodes them itself"
    ]


def _is_table(path: str) -> bool:
    return "/" not in path and path.endswith(".parquet")
