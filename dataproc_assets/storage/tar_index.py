"""The members of a tar, from its headers alone."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dataproc_assets.storage.tar_headers import (
    BARE,
    BLOCK,
    FOLDER,
    NO_FILES,
    REGULAR,
    SPARSE,
    BrokenHeaderError,
    Header,
    apply_pax,
    compressed,
    is_sparse,
    padded,
    parse_header,
    parse_pax,
    readable,
    text_bytes,
)

Read = Callable[[int, int], bytes]  # offset, length -> bytes, fewer at the end of the object
OVERWRITTEN = "a later member of the shard has the same name"


@dataclass(frozen=True)
class TarMember:
    """A regular file in a tar: its name, where its bytes begin, their number, its header's time."""

    name: str
    offset: int
    size: int
    mtime: int


@dataclass(frozen=True)
class TarIndex:
    """What a tar holds.

    `members` are its regular files in its order, one a name; `skipped` says of every other member
    that is no folder why it is none, as `name`, `reason`; `reason` says why the list stops early,
    or what lies behind its end, null where the tar is whole.
    """

    members: list[TarMember] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    reason: str | None = None


class _StopError(Exception):
    """The walk goes no further; the message is the reason."""


def tar_index(read: Read, size: int, most_bytes: int) -> TarIndex:
    """Walk a tar's headers.

    A member whose bytes the object no longer holds (a shard cut short) is left out and named in
    the reason. Of several members of one name the last counts, as it does for whoever unpacks the
    tar.

    Args:
        read: gives the bytes at an offset; offsets never go back.
        size: of the object, in bytes.
        most_bytes: a name or PAX header that is longer is not read, but a reason.
    """
    walk = _Walk(read, size, most_bytes)
    reason = walk.run()
    members, skipped = _last_of_each_name(walk.members)
    return TarIndex(members, [*walk.skipped, *skipped], reason)


class _Walk:
    """The state between headers: where the next one is, and what was said of it before it."""

    def __init__(self, read: Read, size: int, most_bytes: int) -> None:
        self._read, self._size, self._most_bytes = read, size, most_bytes
        self._offset, self._block = 0, b""
        self._shared: dict[bytes, bytes] = {}  # PAX records of all members that follow
        self._own: dict[bytes, bytes] = {}  # of the next one alone
        self._long_name: bytes | None = None
        self.members: list[TarMember] = []
        self.skipped: list[tuple[str, str]] = []

    def run(self) -> str | None:
        """Walk to the end; returns the reason why it is none."""
        try:
            while True:
                header = self._header()
                if header is None:
                    return self._tail()
                if header.kind in (b"x", b"X"):
                    self._own |= parse_pax(self._payload(header))
                elif header.kind == b"g":
                    self._shared |= parse_pax(self._payload(header))
                elif header.kind == b"L":
                    self._long_name = text_bytes(self._payload(header))
                elif header.kind == b"K":
                    self._payload(header)  # where a link leads to is of no use
                else:
                    self._member(header)
                    self._own, self._long_name = {}, None
        except BrokenHeaderError as error:
            return self._no_header(str(error))
        except _StopError as stop:
            return str(stop)

    def _header(self) -> Header | None:
        """The header at the offset; None for the end mark."""
        self._block = self._read(self._offset, BLOCK)
        if self._offset == 0 and (packed := compressed(self._block)):
            raise _StopError(f"not a readable tar: {packed} and upload the .tar")
        if len(self._block) == BLOCK:
            return parse_header(self._block)
        if self._offset == 0:
            cut = "truncated header" if self._size else "it is empty"
            raise _StopError(f"not a readable tar: {cut}")
        if not self._block:
            raise _StopError(self._no_end())
        raise _StopError(f"truncated in a header at byte {self._offset} of {self._size}")

    def _no_header(self, error: str) -> str:
        """What to say of bytes that should be a header."""
        if self._offset == 0:
            return f"not a readable tar: the header at its start is broken: {error}"
        return f"{self._no_end()}: the header there is broken: {error}"

    def _no_end(self) -> str:
        return f"ends without an end mark at byte {self._offset} of {self._size}"

    def _payload(self, header: Header) -> bytes:
        """The bytes of an extended header; moves behind them."""
        if header.size > self._most_bytes:
            raise BrokenHeaderError(f"it announces {header.size} bytes of names and numbers")
        payload = self._read(self._offset + BLOCK, header.size)
        if len(payload) < header.size:
            place = f"at byte {self._offset} of {self._size}"
            raise _StopError(f"truncated in an extended header {place}")
        self._offset += BLOCK + padded(header.size)
        return payload

    def _member(self, header: Header) -> None:
        """Take a member, or say why not, and move behind it."""
        records = self._shared | self._own
        start = self._offset + BLOCK
        if header.kind == b"S":
            start = self._behind_sparse_map(start)
        if self._long_name is not None:
            header = header._replace(name=self._long_name)
        header = apply_pax(header, records) if records else header
        name = readable(header.name)
        size = 0 if header.kind in BARE or header.kind == FOLDER else header.size
        if start + size > self._size:
            raise _StopError(f"truncated in member '{name}'")
        if is_sparse(header, records):
            self.skipped.append((name, SPARSE))
        elif header.kind in REGULAR:
            self.members.append(TarMember(name, start, size, header.mtime))
        elif header.kind not in NO_FILES:
            unknown = f"a member of the unknown type {readable(header.kind)!r}"
            self.skipped.append((name, BARE.get(header.kind, unknown)))
        self._offset = start + padded(size)

    def _behind_sparse_map(self, start: int) -> int:
        """Where the data of an old GNU sparse member begin: behind the blocks of its map."""
        more = self._block[482:483]
        while more not in (b"", b"\0"):
            more = self._read(start, BLOCK)[504:505]
            start += BLOCK
        return start

    def _tail(self) -> str | None:
        """What lies behind the end mark, if it is not the zeros that fill up a tar."""
        behind = self._offset + BLOCK
        count = self._size - behind
        tail = self._read(behind, min(count, self._most_bytes))
        if tail.strip(b"\0"):
            return (
                f"{count} bytes after the end mark at byte {self._offset} are not zeros: junk, "
                "or a second tar, which was not read; pack it anew"
            )
        if len(tail) < count:
            return f"{count} bytes after the end mark at byte {self._offset} were not read"
        return None


def _last_of_each_name(members: list[TarMember]) -> tuple[list[TarMember], list[tuple[str, str]]]:
    """The last member of each name, in the tar's order, and the others as skipped."""
    last = {member.name: member.offset for member in members}
    if len(last) == len(members):
        return members, []
    kept = [member for member in members if last[member.name] == member.offset]
    lost = [member.name for member in members if last[member.name] != member.offset]
    return kept, [(name, OVERWRITTEN) for name in lost]
