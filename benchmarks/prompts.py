"""Prompts of synthetic images, 25 tags each: ours against the same in DuckDB, alternating.

Both make the recipe's order, hygiene and token budget from the same tables; the prompts are
compared before anything is timed.
"""

import argparse
import resource
import time
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from dataproc_assets.config.project import CONF
from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.transforms.prompts import prompts
from dataproc_assets.transforms.units import texts_to_count
from dataproc_assets.transforms.words import listed_rank, tag_text

TAGS = 25
VOCABULARY = 20_000
CATEGORIES = ("general",) * 16 + ("character", "copyright", "artist", "meta")


def synthetic(rows: int, seed: int) -> pl.DataFrame:
    """Images whose tags follow a power law, as booru tags do, in order of confidence."""
    rng = np.random.default_rng(seed)
    names = [f"tag_{n}_of_{'abcdefgh'[: n % 8]}" for n in range(VOCABULARY)]
    names[:4] = ["1girl", "^_^", "bad_id", "translation_request"]
    categories = [CATEGORIES[n % len(CATEGORIES)] for n in range(VOCABULARY)]
    codes = np.minimum(rng.zipf(1.3, rows * TAGS) - 1, VOCABULARY - 1)
    codes = (codes + np.arange(rows * TAGS) % TAGS * 37) % VOCABULARY
    code = pl.Series(codes)
    flat = pl.DataFrame(
        {
            "tag": pl.Series(names).gather(code),
            "category": pl.Series(categories).gather(code),
            "confidence": np.tile(np.linspace(1, 0.3, TAGS), rows),
            "sources": pl.Series([["danbooru"]]).gather(np.zeros(rows * TAGS, dtype=np.uint32)),
        }
    )
    tags = flat.select(pl.struct(pl.all())).to_series().reshape((rows, TAGS)).arr.to_list()
    number = pl.Series(np.arange(rows))
    return pl.DataFrame({"image_id": number.cast(pl.String).str.zfill(32), "tags": tags}).select(
        "image_id",
        "tags",
        pl.lit("general").alias("rating"),
        pl.lit("best").alias("tier"),
        (2005 + number % 20).cast(pl.Int32).alias("year"),
        pl.lit("newest").alias("period"),
        pl.lit(None, dtype=pl.String).alias("caption"),
    )


def vocabulary(recipe: RecipeConfig, images: pl.DataFrame) -> pl.DataFrame:
    """What DuckDB is given: each wanted tag's text and the group that lists it."""
    tags = images.select(pl.col("tags").explode().struct.field("tag")).unique()
    return tags.with_columns(
        tag_text(pl.col("tag"), recipe).alias("text"), listed_rank(pl.col("tag"), recipe).alias("g")
    ).drop_nulls("text")


def in_duckdb(recipe: RecipeConfig) -> str:
    """The query over the tables `images`, `vocabulary` and `counts`."""
    groups = list(enumerate(recipe.groups))
    category = " ".join(
        f"when category = '{name}' then {rank}" for rank, g in groups for name in g.categories
    )
    priority = " ".join(f"when rank = {rank} then {g.priority}" for rank, g in groups)
    rank = {g.kind: rank for rank, g in groups}
    return f"""
with tag as (
  select image_id, unnest(tags) t, generate_subscripts(tags, 1) place from images
), unit as (
  select image_id, place, text, coalesce(g, case {category.replace("category", "t.category")} end)
    as rank
  from tag join vocabulary on t.tag = vocabulary.tag
  union all select image_id, 0, '{recipe.rating_words["general"]}', {rank["rating"]} from images
  union all select image_id, 0, '{recipe.tier_words["best"]}', {rank["quality"]} from images
  union all select image_id, 0, 'year ' || year, {rank["year"]} from images
), counted as (
  select unit.*, tokens, case {priority} end as priority
  from unit join counts on counts.text = unit.text || ','
  where rank is not null
), spent as (
  select *, sum(tokens) over (partition by image_id order by priority, place) as used from counted
)
select image_id, string_agg(text, ', ' order by rank, place) filter (used <= {recipe.token_budget})
  as prompt,
  list(text order by priority, place) filter (used > {recipe.token_budget}) as cut,
  (sum(tokens) filter (used <= {recipe.token_budget}))::int as tokens
from spent group by image_id order by image_id
"""


def main() -> None:
    """Print rows a second of both, the ratio and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    recipe = read_yaml(Path(CONF) / "recipes" / "animagine4.yaml", RecipeConfig)
    images = synthetic(options.rows, seed=1)
    texts = texts_to_count(images.lazy(), recipe).collect()
    tokens = (pl.col("text").str.len_bytes() // 5 + 1).cast(pl.Int32)
    counts = texts.with_columns(tokens.alias("tokens"))

    def ours() -> pl.DataFrame:
        return prompts(images.lazy(), recipe, counts.lazy()).collect()

    base = duckdb.connect()
    base.execute(f"set threads to {pl.thread_pool_size()}")
    base.register("images", images.to_arrow())
    base.execute("create table i as from images; drop view images; alter table i rename to images")
    base.register("vocabulary", vocabulary(recipe, images).to_arrow())
    base.register("counts", counts.to_arrow())
    query = in_duckdb(recipe)

    def theirs() -> pl.DataFrame:
        return pl.DataFrame(base.sql(query).to_arrow_table())

    mine, other = ours(), theirs()
    columns = ["image_id", "prompt", "tokens"]
    if not mine.select(columns).equals(other.select(columns)):
        raise SystemExit("the prompts differ: the comparison would mean nothing")
    times: dict[str, list[float]] = {"ours": [], "duckdb": []}
    cpu: dict[str, list[float]] = {"ours": [], "duckdb": []}
    for _ in range(options.rounds):
        for name, make in (("ours", ours), ("duckdb", theirs)):
            start, busy = time.perf_counter(), time.process_time()
            make()
            times[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - busy)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    best = {name: min(values) for name, values in times.items()}
    print(f"{options.rows:,} images, {TAGS} tags each, {pl.thread_pool_size()} threads")
    for name, seconds in best.items():
        busy = min(cpu[name])
        print(
            f"  {name:7s} {seconds:7.2f} s {options.rows / seconds:10,.0f} rows/s, "
            f"{busy:.2f} CPU s {options.rows / busy:10,.0f} rows/CPU s"
        )
    print(f"  ratio {best['duckdb'] / best['ours']:.2f}, peak of the process {peak:.2f} GiB")


if __name__ == "__main__":
    main()
