"""Search: the pairs of each two segments that reach the cosine, one part each.

Run as `python -m dataproc_assets.jobs.search_pairs --base DIR`; the folders below DIR are those of
SageMaker Processing (see `host`). A unit file `{unit}.todo.parquet` holds `left` and `right`, the
segments to compare; where they are the same, the pairs within it are meant.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.config.near_duplicates import SearchJobConfig
from dataproc_assets.dedup.pairs import Pairs, Search, Side, TooManyPairsError, choose_basis
from dataproc_assets.dedup.products import NumpyProducts, Products
from dataproc_assets.dedup.quantise import integer_threshold
from dataproc_assets.jobs.host import run_worker, shared_units
from dataproc_assets.jobs.progress import ProgressFile
from dataproc_assets.storage.layout import done_path, pairs_part_path
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.segments import open_vectors, read_keys, verify_segment

PAIRS_SCHEMA = {"i": pl.Int32, "j": pl.Int32, "dot": pl.Int64}


class PairSearch:
    """Compares two segments after two; those on storage already are left alone.

    Storage is `store`, by default the one at the configuration's URL.
    """

    def __init__(
        self,
        config: SearchJobConfig,
        progress: ProgressFile | None = None,
        store: ObjectStore | None = None,
    ) -> None:
        self.config = config
        self.store = store or open_store(config.storage)
        self.progress = progress
        # of a task's two sides the left one stays for the next task
        self._side = lru_cache(maxsize=2)(self._load)
        self._search: Search | None = None

    def run(self, tasks: Iterable[tuple[str, str]]) -> None:
        """Write a part for every two segments that have none.

        Raises:
            ValueError: two segments have more pairs than `max_pairs`; an image is named.
            ChangedFileError: a segment is not what its name says.
        """
        for left, right in tasks:
            part = pairs_part_path(self.config.pairs, left, right)
            done = self.store.exists(done_path(part))
            if not done:
                self._write(part, self._compare(left, right))
            if self.progress is not None:
                self.progress.skip() if done else self.progress.add(None)
                self.progress.parts += not done
        if self.progress is not None:
            self.progress.write()

    def _compare(self, left: str, right: str) -> Pairs:
        one = self._side(left)
        other = one if left == right else self._side(right)
        assert self._search is not None
        try:
            return self._search.compare(one, other)
        except TooManyPairsError as error:
            key = read_keys(self.store, self._path(left))["image_key"][error.row]
            raise ValueError(
                f"{error}: it is {key!r}. Raise search.max_pairs in conf/dedup.yaml and give the "
                "job more memory, or take such images out of the crawl"
            ) from error

    def _load(self, segment: str) -> Side:
        vectors = open_vectors(self.store, self._path(segment))
        verify_segment(self.store, self._path(segment), vectors)
        if self._search is None:
            config = self.config
            basis = choose_basis([vectors], config.search.prefix_dims)
            threshold = integer_threshold(config.cosine)
            self._search = Search(threshold, basis, self._products(), config.search.max_pairs)
        return self._search.side(vectors)

    def _products(self) -> Products:
        search = self.config.search
        if self.config.device == "cpu":
            return NumpyProducts(search.block_rows)
        from dataproc_assets.jobs.torch_products import TorchProducts

        return TorchProducts(search.gpu_block_rows, self.config.device)

    def _write(self, part: str, pairs: Pairs) -> None:
        """The part, then its done mark."""
        columns = {"i": pairs.i.astype(np.int32), "j": pairs.j.astype(np.int32), "dot": pairs.dots}
        self.store.put(part, to_parquet(pl.DataFrame(columns, schema=PAIRS_SCHEMA)))
        figures = {"compared": pairs.compared, "decided": pairs.decided, "found": len(pairs.i)}
        self.store.put(done_path(part), json.dumps(figures, sort_keys=True).encode())

    def _path(self, segment: str) -> str:
        return f"{self.config.segments}/{segment}"


def main(config: dict[str, Any], inputs: Path, outputs: Path, rank: int, world: int) -> None:
    """Do this worker's share of the units in `inputs`/todo.

    Raises:
        pydantic.ValidationError: the configuration is not a SearchJobConfig.
        ValueError: two segments have more pairs than `max_pairs`; an image is named.
        ChangedFileError: a segment is not what its name says.
    """
    settings = SearchJobConfig.model_validate(config)
    frames = [pl.read_parquet(path) for path in shared_units(inputs, rank, world).values()]
    tasks = [(left, right) for frame in frames for left, right in frame.iter_rows()]
    PairSearch(settings, ProgressFile(outputs, rank, len(tasks))).run(tasks)


if __name__ == "__main__":
    run_worker(main, __doc__)
