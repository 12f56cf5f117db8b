"""The headers of a tar: old, ustar, PAX and GNU, from their bytes."""

from typing import NamedTuple

BLOCK = 512
END = bytes(BLOCK)
REGULAR = (b"0", b"\0", b"7")
FOLDER = b"5"
NO_FILES = (FOLDER, b"D", b"V")  # folders, GNU's with their lists of names, and labels of a tar
MOST_DIGITS = 20  # of a length in bytes
# what takes no blocks after its header, whatever size it names
BARE = {
    b"1": "a hard link: its bytes are another member's",
    b"2": "a symbolic link holds no bytes",
    b"3": "a device holds no bytes",
    b"4": "a device holds no bytes",
    b"6": "a pipe holds no bytes",
}
SPARSE = "a sparse file: its bytes do not lie in one piece; pack it without --sparse"
MAGIC = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
}


class BrokenHeaderError(ValueError):
    """Bytes that are no tar header."""


class Header(NamedTuple):
    """A block before a member: `kind` is its type flag, `size` in bytes, `mtime` in seconds."""

    name: bytes
    size: int
    mtime: int
    kind: bytes


def parse_header(block: bytes) -> Header | None:
    """The header in a block of 512 bytes; None for a block of zeros, which ends a tar.

    Raises BrokenHeaderError where the checksum is wrong or a number is none.
    """
    if block == END:
        return None
    if not _sum_is_right(block):
        raise BrokenHeaderError("its checksum is wrong")
    name = text_bytes(block[:100])
    if block[257:263] == b"ustar\0":
        prefix = text_bytes(block[345:500])
        name = prefix + b"/" + name if prefix else name
    kind = block[156:157]
    if kind == b"\0" and name.endswith(b"/"):
        kind = FOLDER
    return Header(name, _number(block[124:136]), _number(block[136:148], signed=True), kind)


def parse_pax(payload: bytes) -> dict[bytes, bytes]:
    """The records of a PAX header: `length key=value` lines. Raises BrokenHeaderError."""
    records, start = {}, 0
    while start < len(payload) and payload[start]:
        blank = payload.find(b" ", start, start + MOST_DIGITS)
        digits = payload[start:blank]
        if blank < 0 or not digits.isdigit():
            raise BrokenHeaderError("a PAX record has no length")
        end = start + int(digits)
        key, equals, value = payload[blank + 1 : end - 1].partition(b"=")
        if end > len(payload) or payload[end - 1 : end] != b"\n" or not (key and equals):
            raise BrokenHeaderError("a PAX record is no 'key=value'")
        records[key] = value
        start = end
    return records


def apply_pax(header: Header, records: dict[bytes, bytes]) -> Header:
    """A header with the name, size and time that PAX records give. Raises BrokenHeaderError."""
    path = records[b"path"].rstrip(b"/") if b"path" in records else header.name
    name = records.get(b"GNU.sparse.name", path)
    size, mtime = header.size, header.mtime
    if b"size" in records:
        digits = records[b"size"]
        if not digits.isdigit() or len(digits) > MOST_DIGITS:
            raise BrokenHeaderError("its PAX size is no number")
        size = int(digits)
    if b"mtime" in records:
        mtime = _seconds(records[b"mtime"])
    return Header(name, size, mtime, header.kind)


def is_sparse(header: Header, records: dict[bytes, bytes]) -> bool:
    """Whether a member's bytes lie in pieces, in GNU's old form or in one of its PAX forms."""
    return header.kind == b"S" or any(key.startswith(b"GNU.sparse.") for key in records)


def text_bytes(field: bytes) -> bytes:
    """A field up to its first zero byte."""
    return field.partition(b"\0")[0]


def readable(name: bytes) -> str:
    r"""A name as text: UTF-8, with `\x..` for bytes that are not."""
    return name.decode("utf-8", "backslashreplace")


def compressed(start: bytes) -> str | None:
    """Why bytes that begin so cannot be read in ranges, and what to do; None for others."""
    for magic, (name, command) in MAGIC.items():
        if start.startswith(magic):
            return f"is compressed with {name}, so no member can be read alone; `{command}` it"
    return None


def padded(size: int) -> int:
    """The bytes that `size` bytes take in whole blocks."""
    return -(-size // BLOCK) * BLOCK


def _sum_is_right(block: bytes) -> bool:
    """Whether the checksum is the sum of all other bytes, of which old writers count signed ones.

    Its own eight bytes count as blanks.
    """
    try:
        stored = _number(block[148:156])
    except BrokenHeaderError:
        return False
    others = block[:148] + block[156:]
    plain = sum(others) + 8 * ord(" ")
    return stored == plain or stored == plain - 256 * sum(byte > 127 for byte in others)


def _number(field: bytes, *, signed: bool = False) -> int:
    """A number in octal digits, or in GNU's base 256. Raises BrokenHeaderError."""
    if field[0] in (0x80, 0xFF):
        value = int.from_bytes(field[1:], "big")
        value -= 256 ** (len(field) - 1) if field[0] == 0xFF else 0
    else:
        digits = text_bytes(field).strip()
        try:
            value = int(digits, 8) if digits else 0
        except ValueError:
            raise BrokenHeaderError("a number in it is none") from None
    if value < 0 and not signed:
        raise BrokenHeaderError("a size in it is negative")
    return value


def _seconds(value: bytes) -> int:
    """Whole seconds of a PAX time, 0 for what is no time."""
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return 0
