"""The gallery's search against faiss and DuckDB, on one made index of so many pictures.

`python benchmarks/gallery_search.py [--rows N] [--dimensions D] [--rounds R] [--threads T]`. An
index is made as the gallery makes it, of N pictures with 30 tags each, which are as unevenly
frequent as a booru's, and read as the server reads it. Then, over R rounds, the median time of

- `words`: the 960 likest to a vector, against faiss's flat index of the same vectors in float32,
- `words, a tag`: the same among those with a tag, against faiss with a selector of their rows,
- `tags`: pictures with two tags and without a third, against DuckDB's `list_contains`,
- `key`: a picture by its key, against DuckDB,

and the ratio of the peer's time to ours: above 1 we are faster. The answers are compared: faiss's
may differ in order where cosines are equal to four decimals. Threads of NumPy, faiss and DuckDB
are T.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

TAGS, TAGS_OF_ONE, MOST = 20_000, 30, 960


def timed(rounds: int, ask: Callable[[], Any]) -> tuple[float, Any]:
    """The median of some rounds in milliseconds, the first of all left out, and the answer."""
    answer, seconds = ask(), []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1000, answer


def made_tables(rows: int):
    """Tables of as many images, one a picture, with tags of a Zipf distribution."""
    import numpy as np
    import polars as pl

    from dataproc_assets.gallery.tables import SCHEMAS, GalleryTables, canonical

    random = np.random.default_rng(1)
    keys = [f"danbooru/{number:09d}" for number in range(rows)]
    drawn = np.minimum(random.zipf(1.3, (rows, TAGS_OF_ONE)), TAGS)
    tags = pl.Series("tags", [[f"tag_{tag}" for tag in set(row)] for row in drawn.tolist()])
    digests = [f"{number:064x}" for number in range(rows)]
    augmented = pl.DataFrame(
        {
            "image_key": keys,
            "source": "danbooru",
            "keep": True,
            "rating": random.choice(["general", "sensitive", "questionable"], rows),
            "tier": random.choice(["best", "good", "normal"], rows),
            "title": [f"picture {number}" for number in range(rows)],
            "pixels_sha256": digests,
            "year": random.integers(2008, 2026, rows),
            "post_id": [key.partition("/")[2] for key in keys],
        }
    )
    images = pl.DataFrame(
        {
            "image_id": [f"{number:032x}" for number in range(rows)],
            "representative": keys,
            "members": [[key] for key in keys],
            "sha256": digests,
            "tags": tags,
        }
    )
    flags = pl.DataFrame({"image_key": keys, "flags": [[]] * rows}, schema=SCHEMAS["flags"])
    return canonical(GalleryTables(augmented=augmented, flags=flags, cosine=0.97, images=images))


def make_index(folder: str, rows: int, dimensions: int):
    """Write the index as the gallery does, and read it as the server does."""
    import json

    import numpy as np

    from dataproc_assets.config.gallery import GalleryConfig
    from dataproc_assets.config.project import CONF
    from dataproc_assets.config.yaml import read_yaml
    from dataproc_assets.gallery.cards import Cards
    from dataproc_assets.gallery.index import Embedded, index_files
    from dataproc_assets.gallery.search import SCALE, load_index
    from dataproc_assets.gallery.view import View
    from dataproc_assets.storage.digest import bytes_digest
    from dataproc_assets.storage.objects import ObjectStore

    config = read_yaml(CONF / "gallery.yaml", GalleryConfig)
    tables, random = made_tables(rows), np.random.default_rng(2)
    vectors = random.standard_normal((rows, dimensions), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = np.rint(vectors * SCALE).astype(np.int16)
    start = time.perf_counter()
    view = View(tables, tables, Cards(tables, config), config)
    files = index_files(view, Embedded("made", tables.augmented["image_key"], whole))
    store, made = ObjectStore(folder), time.perf_counter()
    for path, data in files.items():
        store.put(f"gallery/{path}", data)
    manifest = {"search": {"state": "", "model": "made"}, "inputs": {}}
    named = {path: {"sha256": bytes_digest(data)} for path, data in files.items()}
    store.put("gallery/manifest.json", json.dumps({**manifest, "files": named}).encode())
    size, begin = sum(map(len, files.values())), time.perf_counter()
    index = load_index(store)
    print(
        f"{rows} pictures, {dimensions} dimensions: index of {size / 2**20:.0f} MiB made in "
        f"{made - start:.1f} s, read in {time.perf_counter() - begin:.2f} s"
    )
    return index, tables, vectors


def report(name: str, ours: float, peer: str, theirs: float) -> None:
    """One line."""
    print(f"{name:14} ours {ours:8.2f} ms  {peer} {theirs:8.2f} ms  ratio {theirs / ours:.2f}")


def main() -> None:
    """Make the index, ask both sides, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)
    import duckdb
    import faiss
    import numpy as np

    from dataproc_assets.gallery.query import Term

    faiss.omp_set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        index, tables, vectors = make_index(folder, arguments.rows, arguments.dimensions)
        rounds, most = arguments.rounds, min(MOST, arguments.rows)
        nothing = np.zeros(len(index), bool)
        word = np.random.default_rng(3).standard_normal(arguments.dimensions).astype(np.float32)
        word /= np.linalg.norm(word)

        flat = faiss.IndexFlatIP(arguments.dimensions)
        flat.add(vectors)  # type: ignore[call-arg]
        ours, found = timed(rounds, lambda: index.find(None, (), word, nothing, most))
        theirs, (scores, _) = timed(rounds, lambda: flat.search(word[None], most))  # type: ignore[call-arg]
        assert np.abs(found.cosines - scores[0]).max() < 5e-4
        report("words", ours, "faiss ", theirs)

        rows = index.having("tag", "tag_5")
        chosen = faiss.SearchParameters(sel=faiss.IDSelectorBatch(rows))
        term, few = (Term("tag", "tag_5"),), min(MOST, len(rows))
        ours, found = timed(rounds, lambda: index.find(None, term, word, nothing, MOST))
        theirs, (scores, _) = timed(rounds, lambda: flat.search(word[None], few, params=chosen))  # type: ignore[call-arg]
        assert np.abs(found.cosines - scores[0]).max() < 5e-4
        report("words, a tag", ours, "faiss ", theirs)

        base = duckdb.connect(config={"threads": arguments.threads})
        base.register("made", tables.images.select("image_id", "representative", "tags").to_arrow())
        base.execute("create table images as select * from made")
        asked = "list_contains(tags, 'tag_3') and list_contains(tags, 'tag_7') "
        asked += "and not list_contains(tags, 'tag_2')"
        terms = (Term("tag", "tag_3"), Term("tag", "tag_7"), Term("tag", "tag_2", refused=True))
        ours, found = timed(rounds, lambda: index.find(None, terms, None, nothing, MOST))
        sql = f"select image_id from images where {asked}"
        theirs, answer = timed(rounds, lambda: base.execute(sql).fetchall())
        assert found.total == len(answer) > 0
        report("tags", ours, "duckdb", theirs)

        key = f"danbooru/{arguments.rows // 2:09d}"
        ours, entries = timed(rounds, lambda: index.named(key))
        sql = f"select image_id from images where representative = '{key}'"
        theirs, answer = timed(rounds, lambda: base.execute(sql).fetchall())
        assert len(entries) == len(answer) == 1
        report("key", ours, "duckdb", theirs)


if __name__ == "__main__":
    main()
