"""The bytes of an image by its address, tried again where the failure can pass."""

import time

from obstore.exceptions import BaseError

from dataproc_assets.config.runners import ReadConfig
from dataproc_assets.storage.address import read_address


class ReadError(Exception):
    """Why an image's bytes could not be had. It says nothing about the image: retry later.

    Kinds: missing (the object has gone since the inventory), short (the shard has changed),
    unreachable.
    """


def read_image(uri: str, offset: int | None, length: int | None, config: ReadConfig) -> bytes:
    """The bytes at an address.

    Raises:
        ReadError: the object is missing, too short, or not to be had in so many tries.
    """
    wait = config.backoff_seconds
    for _ in range(config.tries - 1):
        try:
            return _read(uri, offset, length)
        except (BaseError, OSError):
            time.sleep(wait)
            wait *= 2
    try:
        return _read(uri, offset, length)
    except (BaseError, OSError) as error:
        raise ReadError(f"unreachable: {type(error).__name__}") from error


def _read(uri: str, offset: int | None, length: int | None) -> bytes:
    try:
        return read_address(uri, offset, length)
    except FileNotFoundError as error:
        raise ReadError("missing") from error
    except EOFError as error:
        raise ReadError("short") from error
