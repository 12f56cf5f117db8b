"""A key and revocations for tests, and a search for what must be nowhere any more."""

import io
import json
import tarfile
from collections.abc import Iterator

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataproc_assets.release.revocations import Revoked, read_revocations, revoke
from dataproc_assets.release.signing import public_hex
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.versions import all_versions

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = public_hex(KEY)
DATE = "2026-11-20"


def revoke_rows(store: ObjectStore, rows: pl.DataFrame, date: str = DATE) -> Revoked:
    """Revoke rows of a train table; returns all that is revoked then."""
    revoke(store, rows.select("image_id", "sha256"), date, KEY, trusted=[PUBLIC])
    return read_revocations(store, [PUBLIC])


def all_bytes(store: ObjectStore, prefixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Every object, and every version that the bucket has of any, with its path."""
    for prefix in prefixes:
        for path in store.list(prefix)["path"]:
            yield path, store.get(path)
        for version in all_versions(store, f"{prefix}/"):
            if not version.deleted:
                yield (
                    f"{version.path}@{version.version}",
                    store.get(version.path, version=version.version),
                )


def found_in(path: str, data: bytes, wanted: list[bytes]) -> list[str]:
    """Where one of some byte strings is in a file: as it lies there, or in what it holds."""
    hits = [path for each in wanted if each in data or each in path.encode()]
    name = path.rpartition("/")[2].partition("@")[0]
    if name.endswith(".parquet"):
        text = _plain(pl.read_parquet(io.BytesIO(data)))
        hits += [f"{path}: rows" for each in wanted if each in text]
    if name.endswith(".tar"):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                hits += found_in(f"{path}/{member.name}", file.read(), wanted)
    if name.endswith(".npy"):
        latent = np.load(io.BytesIO(data)).astype("<f4").tobytes()
        hits += [f"{path}: values" for each in wanted if each in latent]
    return hits


def _plain(frame: pl.DataFrame) -> bytes:
    """All values of a table, one after the other."""
    binary = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    values = [value for name in binary for value in frame[name].drop_nulls()]
    rest = json.dumps(frame.drop(binary).to_dicts(), default=str, ensure_ascii=False)
    return b"\0".join([rest.encode(), *values])
