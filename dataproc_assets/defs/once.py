"""What an asset and its checks ask for alike is found once, as long as nothing has changed."""

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from dataproc_assets.storage.lake import Lake

Found = TypeVar("Found")
_KNOWN: WeakKeyDictionary[Lake, dict[str, tuple[str, object]]] = WeakKeyDictionary()


def once(lake: Lake, name: str, state: str, find: Callable[[], Found]) -> Found:
    """What `find` gives, which is called anew where the state is another one than the last time.

    `state` is the digest of all that it reads; what was found for the state before is let go.
    """
    known = _KNOWN.setdefault(lake, {})
    if name not in known or known[name][0] != state:
        known.pop(name, None)
        known[name] = (state, find())
    return known[name][1]  # type: ignore[return-value]
