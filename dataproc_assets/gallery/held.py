"""What may not be shown any more, where ledgers and tables are newer than the gallery."""

import time
from collections.abc import Callable
from threading import Lock

import numpy as np
import polars as pl

from dataproc_assets.gallery.search import Index
from dataproc_assets.safety.matching import joined, text_spelling
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.objects import ObjectStore


class Held:
    """Entries of an index that are withheld by now; whoever asks is told the present state.

    Args:
        store: where the ledgers lie. An entry counts as soon as it is there.
        state: stands for the tables that say what may be shown, as cheap as their manifests.
        shown: the keys that may be shown by these tables. Asked for where the state is not the
            one that the index was made from, once for each.
        seconds: how long an answer is given again, as the pictures of one page ask for it.
    """

    def __init__(
        self,
        store: ObjectStore,
        state: Callable[[], str],
        shown: Callable[[], pl.Series],
        seconds: float,
    ) -> None:
        self._store, self._state, self._shown, self._seconds = store, state, shown, seconds
        self._known: tuple[str, pl.Series] | None = None
        self._last: tuple[float, Index, np.ndarray] | None = None
        self._alone = Lock()

    def entries(self, index: Index) -> np.ndarray:
        """bool (entries,): those of which nothing may be shown. Not to be written to."""
        with self._alone:
            now, last = time.monotonic(), self._last
            if last is None or last[1] is not index or now - last[0] >= self._seconds:
                last = self._last = (now, index, self._find(index))
            return last[2]

    def by_ledger(self, index: Index) -> np.ndarray:
        """bool (entries,): those that the ledgers name, which is found in no time."""
        hidden = index.mask(index.of_keys(self._keys("quarantine")))
        taken = read_ledger(self._store, "takedown").group_by("kind").agg("value").rows()
        for kind, values in taken:
            hidden[_taken(index, kind, pl.Series(values, dtype=pl.String))] = True
        return hidden

    def _find(self, index: Index) -> np.ndarray:
        hidden, state = self.by_ledger(index), self._state()
        if state != index.manifest["search"]["state"]:
            allowed = self._allowed(state)
            gone = index.pictures.join(allowed.to_frame("image_key"), on="image_key", how="anti")
            hidden[gone["entry"].to_numpy()] = True
        return hidden

    def _keys(self, ledger: str) -> list[str]:
        return read_ledger(self._store, ledger)["image_key"].to_list()

    def _allowed(self, state: str) -> pl.Series:
        if self._known is None or self._known[0] != state:
            self._known = (state, self._shown())
        return self._known[1]


def _taken(index: Index, kind: str, values: pl.Series) -> np.ndarray:
    """The entries that takedowns of a kind name; all of them where it is not known here."""
    if kind == "key":
        return index.of_keys(values.to_list())
    if kind == "hash":
        return index.having_any("hash", values.str.to_lowercase())
    if kind == "post":
        return index.having_any("post", values)
    if kind == "artist":
        user = pl.col("value").str.contains("/", literal=True)
        spelt = pl.when(user).then("value").otherwise(joined(text_spelling(pl.col("value"))))
        return index.having_any("artist", values.to_frame("value").select(spelt).to_series())
    if kind == "url":  # the posts that it means stand in the ledger before it, as entries
        return np.empty(0, np.int64)
    return np.arange(len(index))
