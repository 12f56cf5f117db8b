"""Near-duplicate search against faiss `IndexFlatIP.range_search`, on the same vectors in one run.

`python benchmarks/near_duplicates.py --rows 200000 --dimensions 768`. Threads of both sides come
from OMP_NUM_THREADS. Each timed search is its own process, so that its peak memory is its own.
The OpenBLAS inside faiss's wheel takes its oldest kernels on CPUs newer than itself, and is then
many times slower: `faiss, newest kernels` names the right ones to it, and is the peer to beat.
`k-means cells` compares only what falls into one cell of faiss's spherical k-means, as SemDeDup
does (arXiv:2303.09540, about a thousand cells, here one for every 200 rows): faster or not, it
misses the pairs that a border parts, and its recall says how many. `--new SHARE` compares that
share of the rows with all, as a crawl's next drop is; `--growth` runs several sizes.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dataproc_assets.dedup.pairs import find_pairs
from dataproc_assets.dedup.quantise import integer_threshold, quantise

PEER = "faiss"
PEER_TUNED = "faiss, newest kernels"
OURS = "dataproc_assets"
UNPRUNED = "dataproc_assets, no prefix"
CELLS = "k-means cells"
SIDES = (OURS, UNPRUNED, CELLS, PEER, PEER_TUNED)


def embeddings(rows: int, dimensions: int, spectrum: float, seed: int) -> np.ndarray:
    """Unit vectors with a common mean, as CLIP's have, and one row in ten near another.

    The variances fall as i ** -spectrum in a random basis: 0 is the same in all directions.
    """
    random = np.random.default_rng(seed)
    scales = np.arange(1, dimensions + 1) ** (-spectrum / 2)
    scales *= np.sqrt(0.5 / np.square(scales).sum())
    basis = np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0].astype(np.float32)
    vectors = random.standard_normal((rows, dimensions), np.float32) * scales.astype(np.float32)
    vectors[:, 0] += np.sqrt(0.5)
    vectors = vectors @ basis
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    copies = random.permutation(rows)[: rows // 10 * 2].reshape(2, -1)
    away = random.uniform(0, 0.4, (copies.shape[1], 1)) / np.sqrt(dimensions)
    noise = random.standard_normal((copies.shape[1], dimensions))
    vectors[copies[0]] = vectors[copies[1]] + noise * away
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def search_ours(
    vectors: np.ndarray, cosine: float, block_rows: int, prefix_dims: int, new: float = 0.0
):
    """Pairs (i, j) of this project, quantisation included; of the last rows only, with `new`."""
    rows = quantise(vectors)
    old = len(rows) - round(new * len(rows))
    found = find_pairs(
        [rows[:old], rows[old:]] if new else [rows],
        [(0, 1), (1, 1)] if new else [(0, 0)],
        integer_threshold(cosine),
        block_rows=block_rows,
        prefix_dims=prefix_dims,
    )
    return found.i, found.j


def search_faiss(vectors: np.ndarray, cosine: float):
    """Pairs (i, j), i < j, of faiss, which compares every pair twice and each row with itself."""
    import faiss  # optional: only the peer needs it

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)  # type: ignore[call-arg]
    limits, _, columns = index.range_search(vectors, cosine)  # type: ignore[call-arg]
    rows = np.repeat(np.arange(len(vectors)), np.diff(limits.astype(np.int64)))
    upper = rows < columns
    i, j = rows[upper], columns[upper]
    order = np.lexsort((j, i))
    return i[order], j[order]


def search_cells(vectors: np.ndarray, cosine: float):
    """Pairs (i, j), i < j, within the cells of a k-means."""
    import faiss  # optional: only the peer needs it

    cells = max(1, len(vectors) // 200)
    kmeans = faiss.Kmeans(vectors.shape[1], cells, niter=10, spherical=True, seed=1)
    kmeans.train(vectors)
    nearest = kmeans.index.search(vectors, 1)[1][:, 0]  # type: ignore[union-attr]
    found = [np.empty((2, 0), np.int64)]
    for cell in range(cells):
        rows = np.flatnonzero(nearest == cell)
        i, j = np.nonzero(np.triu(vectors[rows] @ vectors[rows].T >= cosine, 1))
        found.append(np.stack([rows[i], rows[j]]))
    i, j = np.concatenate(found, axis=1)
    order = np.lexsort((j, i))
    return i[order], j[order]


def measure(arguments: argparse.Namespace) -> None:
    """One search in this process: seconds and peak memory as JSON, pairs to a file."""
    vectors = np.load(arguments.vectors)
    if arguments.side in (CELLS, PEER, PEER_TUNED):
        import faiss  # noqa: F401  the import is not part of the search
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    if arguments.side in (PEER, PEER_TUNED):
        i, j = search_faiss(vectors, arguments.cosine)
    elif arguments.side == CELLS:
        i, j = search_cells(vectors, arguments.cosine)
    else:
        prefix = arguments.prefix_dims if arguments.side == OURS else 0
        sizes = (arguments.block_rows, prefix, arguments.new)
        i, j = search_ours(vectors, arguments.cosine, *sizes)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    np.save(arguments.pairs, np.stack([i, j]))
    figures = {
        "seconds": seconds,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "mib": after.ru_maxrss / 1024,
        "added_mib": (after.ru_maxrss - before.ru_maxrss) / 1024,
    }
    print(json.dumps(figures))


def brute_force(vectors: np.ndarray, cosine: float, sample: int) -> set[tuple[int, int]]:
    """Pairs that touch the first `sample` rows, by float64 products of the quantised vectors."""
    quantised = quantise(vectors)
    head = quantised[:sample].astype(np.float64)
    pairs = set()
    for top in range(0, len(vectors), 4096):
        dots = head @ quantised[top : top + 4096].astype(np.float64).T
        left, right = np.nonzero(dots >= integer_threshold(cosine))
        pairs |= {(int(i), int(j)) for i, j in zip(left, right + top, strict=True) if i < j}
    return pairs


def environment(side: str) -> dict[str, str]:
    """The process's environment, with the OpenBLAS kernels named for the tuned peer."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    core = "SKYLAKEX" if " avx512bw " in flags else "HASWELL" if " avx2 " in flags else ""
    named = {"OPENBLAS_CORETYPE": core} if core and side == PEER_TUNED else {}
    return os.environ | named


def main() -> None:
    """Both sides in turn, `--repeats` times; the best of each is compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--cosine", type=float, default=0.97)
    parser.add_argument("--block-rows", type=int, default=1024)
    parser.add_argument("--prefix-dims", type=int, default=64)
    parser.add_argument("--spectrum", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=500, help="rows that measure recall")
    parser.add_argument("--new", type=float, default=0.0, help="share of the rows that is new")
    parser.add_argument("--growth", type=int, nargs="+", help="several sizes in place of --rows")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--vectors", help=argparse.SUPPRESS)
    parser.add_argument("--pairs", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measure(arguments)
        return
    for rows in arguments.growth or [arguments.rows]:
        arguments.rows = rows
        with tempfile.TemporaryDirectory() as folder:
            compare(arguments, Path(folder))


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    """Run every side on the same file of vectors and print the table."""
    vectors = embeddings(arguments.rows, arguments.dimensions, arguments.spectrum, seed=1)
    np.save(folder / "vectors.npy", vectors)
    results: dict[str, list[dict]] = {side: [] for side in arguments.sides}
    files = ["--vectors", folder / "vectors.npy", "--pairs", folder / "pairs.npy"]
    old = round((1 - arguments.new) * arguments.rows) if arguments.new else 0
    expected = brute_force(vectors, arguments.cosine, arguments.sample)
    expected = {(i, j) for i, j in expected if j >= old}
    for _ in range(arguments.repeats):
        for side in arguments.sides:
            command = [sys.executable, __file__, *sys.argv[1:], "--side", side, *files]
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, env=environment(side)
            )
            if done.returncode:
                print(f"{side}: not measured ({done.stderr.strip().splitlines()[-1]})")
                continue
            pairs = np.load(folder / "pairs.npy")
            found = {(int(i), int(j)) for i, j in pairs.T if i < arguments.sample and j >= old}
            result = json.loads(done.stdout) | {"pairs": pairs.shape[1]}
            result["recall"] = len(found & expected) / max(len(expected), 1)
            results[side].append(result)
    print(
        f"{arguments.rows} x {arguments.dimensions}, cosine {arguments.cosine}, spectrum "
        f"{arguments.spectrum}, best of {arguments.repeats}, {platform.machine()}"
    )
    best = {
        side: {key: min(run[key] for run in runs) for key in runs[0]}
        for side, runs in results.items()
        if runs
    }
    for side, run in best.items():
        spread = "/".join(f"{other['seconds']:.2f}" for other in results[side])
        print(
            f"{side:26} {run['seconds']:8.2f} s ({spread})  CPU {run['cpu']:8.2f} s  "
            f"peak {run['mib']:.0f} MiB (+{run['added_mib']:.0f})  pairs {run['pairs']}  "
            f"recall {run['recall']:.4f}"
        )
    for side in (OURS, UNPRUNED):
        for peer in (PEER, PEER_TUNED):
            if side in best and peer in best:
                wall, cpu = (best[peer][unit] / best[side][unit] for unit in ("seconds", "cpu"))
                print(f"{side}: {wall:.1f} times as fast as {peer} ({cpu:.1f} in CPU time)")


if __name__ == "__main__":
    main()
