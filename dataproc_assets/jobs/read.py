"""The bytes of an image by its address, tried again where the failure can pass.

A storage that is down must not write off image after image: `OutageWatch` ends the job.
"""

import time

from obstore.exceptions import BaseError

from dataproc_assets.config.workers import ReadConfig
from dataproc_assets.jobs.decode import DecodeError
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.objects import TooLargeError


class ReadError(Exception):
    """Why an image's bytes could not be had. It says nothing about the image: retry later.

    Kinds: missing (the object has gone since the inventory), short (the shard has changed),
    unreachable.
    """


class StorageOutageError(RuntimeError):
    """So many images in a row cannot be read that the storage must be down."""


class OutageWatch:
    """Counts the images in a row that could not be read."""

    def __init__(self, config: ReadConfig) -> None:
        self._stop_after = config.stop_after
        self._lost_in_a_row = 0

    def see(self, status: str, uri: str, error: str | None) -> None:
        """Take note of what came of the next image.

        Raises:
            StorageOutageError: it and too many before it are to be retried.
        """
        self._lost_in_a_row = self._lost_in_a_row + 1 if status == "retry" else 0
        if self._lost_in_a_row >= self._stop_after:
            raise StorageOutageError(
                f"{self._lost_in_a_row} images in a row could not be read, the last of them "
                f"{uri} ({error}); see that the crawl's storage answers, then run the job again"
            )


def read_image(
    uri: str, offset: int | None, length: int | None, max_bytes: int, config: ReadConfig
) -> bytes:
    """The bytes at an address.

    Raises:
        ReadError: the object is missing, too short, or not to be had in so many tries.
        DecodeError: too_many_bytes; it is then not read.
    """
    wait = config.backoff_seconds
    for _ in range(config.tries - 1):
        try:
            return _read(uri, offset, length, max_bytes)
        except (BaseError, OSError):
            time.sleep(wait)
            wait *= 2
    try:
        return _read(uri, offset, length, max_bytes)
    except (BaseError, OSError) as error:
        raise ReadError(f"unreachable: {type(error).__name__}") from error


def _read(uri: str, offset: int | None, length: int | None, max_bytes: int) -> bytes:
    try:
        return read_address(uri, offset, length, max_bytes)
    except FileNotFoundError as error:
        raise ReadError("missing") from error
    except EOFError as error:
        raise ReadError("short") from error
    except TooLargeError as error:
        raise DecodeError(f"too_many_bytes: {error.size}") from error
