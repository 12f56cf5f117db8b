"""Files of weights: found by their URI, and used only when their bytes are the pinned ones."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BufferedReader, BytesIO
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse

from dataproc_assets.config.weights import File
from dataproc_assets.models import hub
from dataproc_assets.models.fetch import FetchError, cached_object, fetch_object

Content = BufferedReader | BytesIO

# A pickle runs code while it is loaded, so no format that may hold one is read.
READABLE = {".safetensors", ".onnx", ".json", ".txt", ".tsv", ".csv"}


class WeightsError(Exception):
    """A file of a model that cannot be used; the message says which, why, and what to do."""


def locate(uri: str) -> Path:
    """The local path of `package:{package}/{path}`, of a `file://` URL, or of a path.

    Finding a package's folder does not import the package.

    Raises:
        WeightsError: the scheme is not one of these, or the package is not installed.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "package":
        package, _, inside = rest.partition("/")
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError(f"{uri}: the package {package!r} is not installed; install it")
        return Path(spec.submodule_search_locations[0]) / inside
    if scheme == "file":
        return Path(unquote(urlparse(uri).path))
    if "://" in uri:
        raise WeightsError(f"{uri}: is not on this machine")
    return Path(uri)


def look(file: File) -> Path | None:
    """Where a file lies on this machine; None where it does not. Nothing is fetched.

    Raises:
        WeightsError: the package is not installed.
        FetchError: the address cannot be one of the hub.
    """
    if file.uri.startswith("hf://"):
        return hub.in_cache(file)
    path = cached_object(file) if file.uri.startswith("s3://") else locate(file.uri)
    return path if path.is_file() else None


def find(file: File, where: str) -> Path:
    """Where a file lies on this machine; an object of S3 is fetched when it does not.

    Raises:
        WeightsError: it is not there, or of a format that is not read.
    """
    refuse_pickles(file, where)
    try:
        path = look(file)
        if path is None and file.uri.startswith("s3://"):
            return fetch_object(file)
    except FetchError as error:
        raise fault(file, where, f"{file.uri} {error}") from error
    except WeightsError as error:
        raise fault(file, where, str(error)) from None
    if path is None:
        raise missing(file, where)
    return path


def missing(file: File, where: str) -> WeightsError:
    """What to say of a file that is not on this machine."""
    if file.uri.startswith(("hf://", "s3://")):
        cache = "the Hugging Face cache" if file.uri.startswith("hf://") else "the cache"
        text = f"is not in {cache}; fetch it with: {fetch_command(file, where)}"
        return fault(file, where, f"{file.uri} {text}")
    remedy = "put it there or correct its uri"
    if file.uri.startswith("package:"):
        remedy = "install the package again"
    return fault(file, where, f"{locate(file.uri)} does not exist; {remedy}")


def refuse_pickles(file: File, where: str) -> None:
    """Raise WeightsError for a file of a format that may run code when it is loaded."""
    if PurePosixPath(file.uri).suffix not in READABLE:
        raise fault(
            file,
            where,
            f"{file.uri} is not one of {', '.join(sorted(READABLE))}; a pickled checkpoint can "
            "run code when loaded: convert it to safetensors",
        )


@contextmanager
def verified(file: File, where: str) -> Iterator[Path]:
    """The path of a model's file whose bytes were checked, for as long as it is read.

    For files too large to be held in memory beside their tensors. At the end it is checked that
    the file is still the one that was verified.

    Raises:
        WeightsError: as `read_verified`, or the file was changed while it was read.
    """
    path, content = _checked(file, where, lambda path: path.open("rb"))
    with content:
        before = _stamp(os.fstat(content.fileno()))
    yield path
    if _stamp(path.stat()) != before:
        raise fault(file, where, f"{path} was changed while it was read; start again")


def read_verified(file: File, where: str) -> bytes:
    """The bytes of a model's file, after they were checked against its digest or commit.

    `where` names the configuration that asks, such as `conf/metrics/clip.yaml: encoder.weights`.
    What is returned is what was checked: the file is read once.

    Raises:
        WeightsError: no such file, a format that is not read, or other bytes.
    """
    content = _checked(file, where, lambda path: BytesIO(path.read_bytes()))[1]
    content.seek(0)
    return content.read()


def difference(file: File, path: Path, content: Content) -> str:
    """How a file's bytes differ from the pinned ones; empty where they are those.

    For a file of the hub that is pinned by its commit alone, the cache says the digest.
    """
    expected = file.sha256 or hub.blob_name(path)
    if len(expected) == 40:
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        name = "git's sha1"
        got = hashlib.file_digest(content, lambda: hashlib.sha1(b"blob %d\0" % size)).hexdigest()
    else:
        name, got = "sha256", hashlib.file_digest(content, "sha256").hexdigest()
    return "" if got == expected or not expected else f"has {name} {got}, expected {expected}"


def fault(file: File, where: str, text: str) -> WeightsError:
    """What is wrong with a file, with the line of YAML and the key that name it."""
    yaml, _, key = where.partition(": ")
    return WeightsError(": ".join(part for part in (file.place or yaml, key, text) if part))


def fetch_command(file: File, where: str) -> str:
    """The command that fetches a file, from the YAML that names it."""
    yaml = PurePosixPath((file.place or where).partition(":")[0])
    chosen = f" --metrics {yaml.parent.name}" if yaml.parent.parent.name == "metrics" else ""
    return f"dataproc weights fetch{chosen} {yaml.stem}"


def _checked(file: File, where: str, read: Callable[[Path], Content]) -> tuple[Path, Content]:
    """A file and its bytes, which are the pinned ones; a damaged cache is filled again, once."""
    path = find(file, where)
    wrong = ""
    for again in (False, True):
        if again:
            try:
                path = fetch_object(file, again=True)
            except FetchError as error:
                raise fault(file, where, f"{file.uri} {error}") from error
        try:
            content = read(path)
        except OSError as error:
            raise fault(file, where, f"{path} cannot be read: {error.strerror}") from error
        wrong = difference(file, path, content)
        if not wrong:
            return path, content
        content.close()
        if not file.uri.startswith("s3://"):
            break
    raise fault(file, where, f"{path} {wrong}; {_remedy(file, where)}")


def _remedy(file: File, where: str) -> str:
    if file.uri.startswith("hf://"):
        return f"fetch it again with: {fetch_command(file, where)}"
    if file.uri.startswith("s3://"):
        return "it was fetched again and is damaged again: look at the disk of this machine"
    return (
        "restore the file, or, if the model was meant to change, put the new digest into the YAML"
    )


def _stamp(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
