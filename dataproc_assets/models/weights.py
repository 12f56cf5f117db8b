"""Files of weights: found by their URI, and used only when their digest is the configured one."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

from dataproc_assets.config.weights import File

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
        raise WeightsError(
            f"{uri}: weights are read from package:, file:// or a path; copy the file to a path"
        )
    return Path(uri)


def read_verified(file: File, where: str) -> bytes:
    """The bytes of a model's file, after their SHA-256 was checked.

    `where` names the configuration that asks, such as `conf/metrics/clip.yaml: encoder.weights`.
    What is returned is what was checked: the file is read once.

    Raises:
        WeightsError: no such file, a format that is not read, or another digest.
    """
    path = locate(file.uri)
    if path.suffix not in READABLE:
        raise WeightsError(
            f"{where}: {file.uri} is not one of {', '.join(sorted(READABLE))}; a pickled "
            "checkpoint can run code when loaded: convert it to safetensors"
        )
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(f"{where}: {path} does not exist; correct its uri") from None
    got = hashlib.sha256(content).hexdigest()
    if got != file.sha256:
        raise WeightsError(
            f"{where}: {path} has sha256 {got}, expected {file.sha256}; restore the file, or, "
            "if the model was meant to change, put the new digest into the YAML"
        )
    return content
