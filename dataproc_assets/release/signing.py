"""The key that revocations are signed with. It is never shown and never in a message."""

import os
import re
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

VARIABLE = "DATAPROC_TAKEDOWN_KEY"
SEED = re.compile(r"[0-9a-fA-F]{64}")
PrivateKey = Ed25519PrivateKey


class SigningKeyError(Exception):
    """There is no key to sign with; the message has the next step and nothing of the key."""


def new_key() -> PrivateKey:
    """A key that nobody has yet, by the operating system's random numbers."""
    return Ed25519PrivateKey.generate()


def public_hex(key: PrivateKey) -> str:
    """The public half, as conf/takedown.yaml has it: 64 hex digits."""
    return key.public_key().public_bytes_raw().hex()


def write_key(path: Path, key: PrivateKey) -> None:
    """Write a key as PEM to a new file that its owner alone may read. Raises FileExistsError."""
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def private_key_from_env() -> PrivateKey:
    """The key of `DATAPROC_TAKEDOWN_KEY`: 64 hex digits, or the path of a file of them or of PEM.

    Raises SigningKeyError.
    """
    value = os.environ.get(VARIABLE, "").strip()
    if not value:
        raise SigningKeyError(
            f"{VARIABLE} is not set: it holds the key that revocations are signed with, or the "
            "path of its file; `dataproc takedown key FILE` makes one"
        )
    if SEED.fullmatch(value):
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(value))
    try:
        data = Path(value).read_bytes()
    except (OSError, ValueError):
        raise SigningKeyError(
            f"{VARIABLE} is neither 64 hex digits nor a file that can be read; `dataproc takedown "
            "key FILE` makes one"
        ) from None
    text = data.decode("ascii", "replace").strip()
    if SEED.fullmatch(text):
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(
            f"the file that {VARIABLE} names holds no Ed25519 key, as PEM without a password or "
            "as 64 hex digits; `dataproc takedown key FILE` makes one"
        )
    return key
