"""What keeps objects from being read, written or listed, told with place, cause and next step."""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from dataproc_assets.storage.listed import OddKeyError
from dataproc_assets.storage.s3_errors import INVALID_PATH, explain
from dataproc_assets.storage.writes import WriteError


@contextmanager
def reading(uri: str) -> Iterator[None]:
    """Whatever keeps an object from being read, as a ConnectionError; none, as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise ConnectionError(f"{uri}: cannot be read: {explain(error)}") from error


@contextmanager
def writing(uri: str) -> Iterator[None]:
    """Whatever keeps an object from being written, as a WriteError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise WriteError(f"{uri}: cannot be written: {explain(error)}") from error


@contextmanager
def listing(url: str) -> Iterator[None]:
    """Whatever keeps a folder from being listed, as a ConnectionError; an odd key as its own."""
    try:
        yield
    except (BaseError, OSError) as error:
        kind = OddKeyError if INVALID_PATH in str(error) else ConnectionError
        raise kind(f"{url}: cannot be listed: {explain(error)}") from error
