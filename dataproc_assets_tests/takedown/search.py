"""A search of every byte of a storage root, also where it is packed: Parquet, tar, zip, arrays."""

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from dataproc_assets.storage.objects import ObjectStore

NAME = 64  # bytes of the longest needle that is a name
ALIKE = 6  # mean difference, of 255, below which two small grey pictures are one
PICTURES = (".webp", ".png", ".jpg", ".jpeg")


def find_all(
    store: ObjectStore, needles: Mapping[str, bytes], picture: bytes | None = None
) -> dict[str, set[str]]:
    """Which needles are where: path -> their names, and `picture` where one looks like it."""
    small = None if picture is None else _small(picture)
    found: dict[str, set[str]] = {}
    for path in store.list()["path"]:
        hits = {name for name, needle in needles.items() if is_in(needle, path.encode())}
        for place, data in unpacked(path, store.get(path)):
            hits |= {name for name, needle in needles.items() if is_in(needle, data)}
            if small is not None and place.endswith(PICTURES) and _alike(small, data):
                hits.add("picture")
        if hits:
            found[path] = hits
    return found


def is_in(needle: bytes, data: bytes) -> bool:
    """Whether data holds a needle; a short one, which is a name, as a whole word alone."""
    if len(needle) > NAME:
        return needle in data
    return re.search(re.escape(needle) + rb"(?![0-9A-Za-z])", data) is not None


def unpacked(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file, and all that is packed in it."""
    yield path, data
    if path.endswith(".parquet"):
        yield path, b"\n".join(_values(pl.read_parquet(io.BytesIO(data))))
    elif path.endswith(".tar"):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                yield from unpacked(f"{path}/{member.name}", member.name.encode())
                yield from unpacked(f"{path}/{member.name}", _read(tar, member))
    elif path.endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            for name in file.namelist():
                yield from unpacked(f"{path}/{name}", file.read(name))


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def _values(frame: pl.DataFrame) -> Iterator[bytes]:
    for name in frame.columns:
        yield from _flat(frame[name])


def _flat(series: pl.Series) -> Iterator[bytes]:
    kind = series.dtype
    if kind == pl.Binary:
        yield from (value for value in series if value is not None)
    elif isinstance(kind, pl.Struct):
        for field in series.struct.fields:
            yield from _flat(series.struct.field(field))
    elif (isinstance(kind, pl.Array) and kind.inner.is_numeric()) or (
        isinstance(kind, pl.List) and kind.inner.is_numeric()
    ):
        yield from (value.to_numpy().tobytes() for value in series if value is not None)
    elif isinstance(kind, pl.List | pl.Array):
        yield from _flat(series.explode(empty_as_null=True))
    else:
        yield from (str(value).encode() for value in series if value is not None)


def _small(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize((16, 16)), np.float64)


def _alike(small: np.ndarray, data: bytes) -> bool:
    try:
        return bool(np.abs(_small(data) - small).mean() < ALIKE)
    except OSError:
        return False


def root(path: Path) -> ObjectStore:
    """A folder as a storage root."""
    return ObjectStore(str(path))
