"""From records to prompts, 25 tags a row: ours, DuckDB, pandas, and the floor, in one run.

`python benchmarks/merge_to_prompts.py [--rows N] [--buckets B] [--rounds R]` makes N posts of two
sources and runs each side in a process of its own, in turn: merge, prefilter and augment each
source; merge the sources to one row an image; make the prompts of a recipe. The sides' prompts are
compared before any figure is printed. The floor reads what our steps read and writes what they
write, unchanged, with the same writer. pandas takes a quarter of an hour and 18 GB for a million
rows, so the peers take part up to so many; one that ends with an error is told and left out. Last,
the prompts of images that are in memory already, of their 25 most certain tags.

For 10M rows: `--rows 10_000_000 --buckets 128 --rounds 1`, with 40 GB of disk.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.curation import data
from benchmarks.curation.given import Given
from benchmarks.curation.ours_side import RECIPE, Floor, Ours, configure, made
from benchmarks.curation.steps import Steps
from dataproc_assets.models.tokenizer import count_tokens
from dataproc_assets.storage.lake import Lake
from dataproc_assets.transforms.prompts import READ, prompts

STEPS = ("curate", "images", "prompts")
SIDES = ("ours", "floor", "duckdb", "pandas")
IN_MEMORY = 1_000_000  # images of the last table at most
TAGS = 25  # of each of them at most: merged images have more than the posts
THREADS = os.cpu_count() or 1


def given_to_all(folder: Path, buckets: int) -> Given:
    """What every side is given; the tokens of all texts were counted before."""
    project = configure(folder, folder / "lake", buckets)
    counts = folder / "counts.parquet"
    table = pl.read_parquet(counts) if counts.exists() else pl.DataFrame()
    return Given(project, project.recipes[RECIPE], table)


def make(folder: Path, rows: int, buckets: int) -> None:
    """Write the inputs, and the tokens of every text that a prompt can hold."""
    given = given_to_all(folder, buckets)
    threshold = next(r.value for r in given.project.curation.prefilter if r.column == "clip_score")
    data.write(Lake(given.project), rows, folder / "spill", threshold)
    names = [*data.NAMES, *given.aliases.values(), *given.tables["implications"]["name"]]
    texts = {name.replace("_", " ") for name in names} | {*names}
    texts |= {*given.recipe.rating_words.values()} | {f"year {year}" for year in range(2000, 2030)}
    spelt = sorted(f"{text}," for text in texts)
    counts = pl.DataFrame({"text": spelt, "tokens": count_tokens(spelt)})
    counts.write_parquet(folder / "counts.parquet")


def side(name: str, folder: Path, given: Given, memory: str) -> Steps:
    """A side, with its libraries loaded."""
    inputs, outputs = folder / "lake", folder / name
    outputs.mkdir(exist_ok=True)
    if name == "ours":
        return Ours(inputs, outputs, given)
    if name == "floor":
        return Floor(inputs, outputs, given)
    if name == "duckdb":
        from benchmarks.curation.duckdb_side import InDuckdb

        return InDuckdb(inputs, outputs, given, THREADS, memory)
    from benchmarks.curation.pandas_side import InPandas

    return InPandas(inputs, outputs, given)


def run_side(name: str, folder: Path, buckets: int, memory: str) -> None:
    """One side in this process; prints its seconds a step and its peak memory."""
    steps = side(name, folder, given_to_all(folder, buckets), memory)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures: dict[str, object] = {}
    for step in STEPS:
        start = time.perf_counter(), time.process_time()
        getattr(steps, step)()
        spent = [time.perf_counter() - start[0], time.process_time() - start[1]]
        if isinstance(steps, Floor):
            spent, steps.spent = steps.spent, [0.0, 0.0]
        figures[step] = spent
    figures["gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures["base"] = base
    print(json.dumps(figures))


def compare(folder: Path, buckets: int, others: list[str]) -> int:
    """How many prompts there are. Exits where a side has other ones than ours."""
    lake = Lake(given_to_all(folder, buckets).project)
    ours = pl.concat(made(lake)).sort("image_id")
    for name in others:
        table = pl.read_parquet(folder / name / "prompts.parquet", columns=ours.columns)
        theirs = table.with_columns(
            pl.col("image_id").cast(pl.String), pl.col("prompt").cast(pl.String).fill_null(""),
            pl.col("tokens").cast(pl.Int32).fill_null(0),
        ).sort("image_id")  # fmt: skip
        if not theirs.equals(ours):
            both = ours.join(theirs, on="image_id", how="full", suffix="_theirs")
            other = both.filter(pl.col("prompt").ne_missing(pl.col("prompt_theirs")))
            print(other.head(3).to_dicts())
            raise SystemExit(f"{other.height} prompts of {name} differ, so no figure would count")
    return ours.height


def in_memory(folder: Path, buckets: int, rounds: int) -> None:
    """Prompts a second of images that are in memory: ours, and DuckDB's from a table of its own."""
    from benchmarks.curation.duckdb_side import InDuckdb, prompts_query

    given = given_to_all(folder, buckets)
    parts, rows = [], 0
    for part in Lake(given.project).read_buckets("images"):
        parts.append(part.select(READ).collect())
        rows += parts[-1].height
        if rows >= IN_MEMORY:
            break
    images = pl.concat(parts, rechunk=True).sort("image_id").head(IN_MEMORY)
    images = images.with_columns(pl.col("tags").list.head(TAGS))
    known = dict(given.counts.iter_rows())
    base = InDuckdb(folder / "lake", folder / "duckdb", given, THREADS, "8GB").base
    base.register("taken", images.to_arrow())
    base.execute("create table held as from taken")
    query = prompts_query(given, "held")

    def ours() -> None:
        prompts(images, given.recipe, lambda texts: [known[t] for t in texts], date(2026, 11, 1))

    def theirs() -> None:
        base.sql(query).to_arrow_table()

    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, work in (("ours", ours), ("duckdb", theirs)):
            start = time.perf_counter()
            work()
            best[name] = min(best.get(name, 1e9), time.perf_counter() - start)
    tags = images["tags"].list.len().mean()
    print(f"prompts of {images.height:,} images in memory, {tags:.1f} tags each")
    for name, seconds in best.items():
        print(f"  {name:7} {seconds:8.2f} s {images.height / seconds:12,.0f} images/s")
    print(f"  ratio to duckdb {best['duckdb'] / best['ours']:.1f}")


def table(rows: int, runs: dict[str, list[dict]]) -> None:
    """Print each side's seconds a step, its ratio to ours, and its memory."""
    print(f"{'':8}" + "".join(f"{step:>26}" for step in STEPS) + f"{'all':>20}{'peak':>10}")
    whole = {name: min(sum(r[s][0] for s in STEPS) for r in found) for name, found in runs.items()}
    for name, found in runs.items():
        cells = ""
        for step in STEPS:
            seconds, busy = (min(run[step][i] for run in found) for i in (0, 1))
            ratio = seconds / min(run[step][0] for run in runs["ours"])
            cells += f"{seconds:9.1f} s {busy:6.1f} cpu {ratio:5.2f}"
        gib = max(run["gib"] for run in found)
        print(
            f"{name:8}{cells}{whole[name]:9.1f} s {whole[name] / whole['ours']:6.2f}{gib:7.2f} GiB"
        )
    print(f"{rows / whole['ours']:,.0f} rows/s through all of ours; ratios are to ours")


def main() -> None:
    """Make the data, run the sides in turn, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--buckets", type=int, default=1, help="of every table")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--pandas-rows", type=int, default=1_000_000, help="at most")
    parser.add_argument("--duckdb-rows", type=int, default=10_000_000, help="at most")
    parser.add_argument("--duckdb-memory", default="12GB")
    parser.add_argument("--folder", type=Path, help="of the data, which stay there")
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "FOLDER"))
    args = parser.parse_args()
    if args.one:
        run_side(args.one[0], Path(args.one[1]), args.buckets, args.duckdb_memory)
        return
    with tempfile.TemporaryDirectory() as temporary:
        contest(args, args.folder or Path(temporary))


def contest(args: argparse.Namespace, folder: Path) -> None:
    """Run the sides over the data below `folder`, which are made where there are none."""
    most = {"pandas": args.pandas_rows, "duckdb": args.duckdb_rows}
    names = [name for name in SIDES if args.rows <= most.get(name, args.rows)]
    os.environ["DAGSTER_HOME"] = str(folder)
    if not (folder / "counts.parquet").exists():
        print(f"making {args.rows:,} rows below {folder}", file=sys.stderr)
        make(folder, args.rows, args.buckets)
    runs: dict[str, list[dict]] = {name: [] for name in names}
    this = [sys.executable, __file__, "--buckets", str(args.buckets)]
    for _ in range(args.rounds):
        for name in list(names):
            command = [*this, "--duckdb-memory", args.duckdb_memory, "--one", name, str(folder)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode and name in most:
                print(f"{name} ended with an error:\n{done.stderr[-3000:]}", file=sys.stderr)
                names.remove(name)
                runs.pop(name)
                continue
            done.check_returncode()
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{name}: {runs[name][-1]}", file=sys.stderr)
    count = compare(folder, args.buckets, names[2:])
    print(f"{args.rows:,} rows of 25 tags, {count:,} images, {THREADS} threads")
    table(args.rows, runs)
    in_memory(folder, args.buckets, args.rounds)


if __name__ == "__main__":
    main()
