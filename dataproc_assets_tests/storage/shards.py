"""Tars as crawlers write them, good and broken."""

import io
import tarfile
from collections.abc import Mapping


def tar_bytes(
    files: Mapping[str, bytes], *, kind: int = tarfile.PAX_FORMAT, mtime: int = 7
) -> bytes:
    """A tar of regular files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), mtime
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tar_with_links() -> bytes:
    """A tar with one file, and a folder, links, a pipe and a device around it."""
    buffer = io.BytesIO()
    kinds = (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, kind in enumerate(kinds):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
            if number == 2:
                file = tarfile.TarInfo("real.jpg")
                file.size = 4
                tar.addfile(file, io.BytesIO(b"real"))
    return buffer.getvalue()
