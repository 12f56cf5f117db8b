"""Reading an image by its address: a whole object, or a member of a tar shard."""

from dataproc_assets.storage.objects import open_store


def read_address(uri: str, offset: int | None, length: int | None) -> bytes:
    """The bytes at an address.

    Args:
        uri: a file's path or `s3://bucket/key`.
        offset: null for a whole object, else where the member's bytes begin.
        length: the member's length in bytes.

    Raises:
        FileNotFoundError: there is no such object.
        EOFError: the object is shorter than the address says.
    """
    if uri.startswith("s3://"):
        bucket, _, path = uri.removeprefix("s3://").partition("/")
        store = open_store(f"s3://{bucket}")
    else:
        store, path = open_store("/"), uri.removeprefix("/")
    if offset is None or length is None:
        return store.get(path)
    return store.get_range(path, offset, length) if length else b""
