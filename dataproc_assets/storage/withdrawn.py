"""Releases that were withdrawn: what is left of one is a file that names the one in its place."""

import json
import re
from dataclasses import asdict, dataclass

from dataproc_assets.storage.layout import withdrawn_path
from dataproc_assets.storage.objects import ObjectStore

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(\.\d+)?")


@dataclass(frozen=True)
class Withdrawn:
    """What stands for a withdrawn release.

    Attributes:
        name: of the release.
        digest: which it had.
        replaced_by: the release in its place; None where no image was left.
        date: of the revocation that it was withdrawn for, ISO 8601.
    """

    name: str
    digest: str
    replaced_by: str | None
    date: str

    def to_json(self) -> bytes:
        """As it is stored."""
        return f"{json.dumps(asdict(self), indent=1, sort_keys=True)}\n".encode()

    def __str__(self) -> str:
        place = f"{self.replaced_by!r} is in its place" if self.replaced_by else "no image was left"
        return f"release {self.name!r} was withdrawn for a revocation of {self.date}: {place}"


def read_withdrawn(store: ObjectStore, name: str) -> Withdrawn | None:
    """What stands for a release that was withdrawn; None for any other.

    Raises ValueError where it was changed: it must name that release, and a name in its place.
    """
    try:
        data = store.get(withdrawn_path(name))
    except FileNotFoundError:
        return None
    try:
        found = Withdrawn(**json.loads(data))
    except (ValueError, TypeError):
        found = None
    if found is None or found.name != name or not NAME.fullmatch(found.replaced_by or name):
        raise ValueError(
            f"{store.uri(withdrawn_path(name))} is not what a purge wrote: restore it from a copy"
        )
    return found


def withdrawals(store: ObjectStore, name: str) -> list[Withdrawn]:
    """Those of a name, of the name in its place, and so on; none where it was not withdrawn."""
    found: dict[str, Withdrawn] = {}
    while name not in found and (withdrawn := read_withdrawn(store, name)):
        found[name] = withdrawn
        name = withdrawn.replaced_by or name
    return list(found.values())


def present_name(store: ObjectStore, name: str) -> str:
    """The name under which a release now is: its own, or that of what is in its place.

    Of a release that was withdrawn and has nothing in its place, the last name that it had.
    """
    found = withdrawals(store, name)
    return (found[-1].replaced_by or found[-1].name) if found else name
