"""The same work in DuckDB: merge, prefilter and augment, one row an image, prompts.

It is given what takes our side configuration to know: weights, rules, buckets, token counts. What
it does not do: move the window of the percentile from post to post (its windows are fixed), keep
how each source spelt a tag, and verify and digest what it reads and writes.

Its joins take all memory where they build on the rows with their tags, so the members are the side
that is built on, and above a million rows the images are merged in parts, whole components each.
A step reads its rows into tables of the base first: what it does over dictionaries of Parquet
files directly ends, now and then, with an internal error (DuckDB 2.0.0).
"""

from pathlib import Path

import duckdb

from benchmarks.curation.given import Given
from benchmarks.curation.steps import SOURCES, Steps

PART = 1_000_000  # rows that are merged at a time


def connect(folder: Path, threads: int, memory: str) -> duckdb.DuckDBPyConnection:
    """A base that may spill."""
    config = {
        "threads": threads,
        "memory_limit": memory,
        "temp_directory": str(folder / "spill"),
        "preserve_insertion_order": False,
    }
    return duckdb.connect(config=config)


class InDuckdb(Steps):
    """Each step reads the Parquet files of the one before, and writes its own."""

    def __init__(
        self, inputs: Path, outputs: Path, given: Given, threads: int, memory: str
    ) -> None:
        super().__init__(inputs, outputs, given)
        self.base = connect(outputs, threads, memory)
        for name, table in given.tables.items():
            self.base.register(f"{name}_", table.to_arrow())
            self.base.execute(f"create table {name} as from {name}_")

    def curate(self) -> None:
        """Merged, prefiltered and augmented of both sources."""
        for source in SOURCES:
            self._write(f"merged_{source}", self._merged(source))
            merged = self.out(f"merged_{source}")
            self._write(f"prefiltered_{source}", f"select *, {_reasons(self.given)} from {merged}")
            judged = self.out(f"prefiltered_{source}")
            self._write(f"augmented_{source}", _augmented(judged))

    def images(self) -> None:
        """One row an image."""
        rows = " union all by name ".join(
            f"select *, '{source}' as source from {self.out(f'augmented_{source}')}"
            for source in SOURCES
        )
        members = self.table("members")
        count = self.base.sql(f"select count(*) from {members}").fetchall()[0][0]
        parts = -(-count // PART)
        joined = self.outputs / "joined"
        # then the side that a join names last is the one it builds on
        self.base.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
        self.base.execute(
            f"""copy (
              select m.*, r.* exclude (image_key, source), hash(m.component) % {parts} as part
              from ({rows}) r join {members} m using (image_key)
            ) to '{joined}' (format parquet, partition_by (part))"""
        )
        self.base.execute("reset disabled_optimizers")
        for part in sorted(joined.iterdir()):
            self.base.execute(
                f"create or replace table joined as select * exclude (part) from '{part}/*.parquet'"
            )
            self._write(f"images.parquet/{part.name}", _images(self.given))
        self.base.execute("drop table joined")

    def prompts(self) -> None:
        """Prompts of the recipe."""
        for images in sorted((self.outputs / "images.parquet").iterdir()):
            self.base.execute(f"create or replace table images_ as from '{images}'")
            self._write(f"prompts.parquet/{images.stem}", prompts_query(self.given, "images_"))

    def _merged(self, source: str) -> str:
        records, metrics, todo = (
            self.table(name, source) for name in ("records", "metrics_merged", "todo")
        )
        marked = ", ".join(f"'{tag.lower()}'" for tag in self.given.ai_tags[source])
        kinds = ("general", "character", "copyright", "artist", "meta")
        has = " or ".join(
            f"list_has_any(list_transform(tags_{kind}, lambda t: lower(t)), [{marked}])"
            for kind in kinds
        )
        return f"""
        select t.*, r.* exclude (image_key, source, ai), m.* exclude (image_key),
          case when {has} then 'yes' else r.ai end as ai
        from {todo} t join {records} r using (image_key) join {metrics} m using (image_key)"""

    def _write(self, name: str, query: str) -> None:
        target = self.outputs / f"{name}.parquet"
        target.parent.mkdir(exist_ok=True)
        self.base.execute(f"copy ({query}) to '{target}' (compression zstd, compression_level 3)")


def _reasons(given: Given) -> str:
    cases = ", ".join(f"case when not ({rule}) then '{name}' end" for name, rule in given.rules)
    drops = f"list_filter([{cases}], lambda x: x is not null)"
    return f"{drops} as drop_reasons, {drops}[1] as drop_reason, len({drops}) = 0 as keep"


def _augmented(judged: str) -> str:
    window = "partition by rating, floor(age / 1096)"
    return f"""
    with aged as (
      select *, pixels_width::bigint * pixels_height as pixels,
        pixels_width / pixels_height as aspect, year(created) as year,
        date_diff('day', created::date, date '2026-11-01') as age
      from {judged}
    ), ranked as (
      select *, rank() over (w order by favourites) as low,
        count(*) over (w order by favourites range between unbounded preceding and current row)
          as high,
        count(*) over w as n
      from aged window w as ({window})
    )
    select ranked.* exclude (low, high, n, age), b.bucket_width, b.bucket_height, p.name as period,
      round((low + high - 1) / (2 * n) * 100, 6) as tier_percentile
    from ranked asof join buckets b on ranked.aspect >= b.above
    left join periods p on ranked.year between p.first_year and p.last_year"""


def _images(given: Given) -> str:
    kinds = ("general", "character", "copyright", "artist", "meta")
    claims = " union all ".join(
        f"select image_id, source, unnest(tags_{kind}) as said, '{kind}' as category, "
        f"w.weight as weight from best join weights w using (source)"
        for kind in kinds
    )
    drawn = ", ".join(
        f"arg_min(b.source, -ln((hash(b.image_id, '{field}', b.source) + 1) / 18446744073709551616)"
        f" / t.trust_{field}) filter ({field} is not null) as {field}__source, "
        f"arg_min({field}, -ln((hash(b.image_id, '{field}', b.source) + 1) / 18446744073709551616)"
        f" / t.trust_{field}) filter ({field} is not null) as {field}, "
        f"list({{'source': b.source, 'value': {field}, 'weight': t.trust_{field}}}) "
        f"filter ({field} is not null) as {field}__claims"
        for field in ("artist", "title", "caption", "created", "tier_percentile")
    )
    return f"""
    with best as (
      select *, coalesce(artist_names[1], tags_artist[1]) as artist
      from joined where best_in_source and role != 'dropped'
    ), standing as (
      select * from joined where role = 'representative'
    ), machine as (
      select image_id, unnest(tagger_tags) as t from standing
    ), claims as (
      {claims}
      union all select image_id, 'tagger', t.tag, t.category, t.p * {given.tagger_weight}
      from machine
    ), spelt as (
      select image_id, source, coalesce(a.name, plain) as tag, category, weight
      from (select *, replace(lower(trim(said)), ' ', '_') as plain from claims)
      left join aliases a on a.alias = plain
    ), implied as (
      from spelt union all
      select image_id, source, i.name, category, weight from spelt join implications i using (tag)
    ), once as (
      select image_id, tag, source, max(weight) as weight,
        arg_min(category, (category = 'general', category)) as category
      from implied where tag != '' group by all
    ), merged as (
      select image_id, tag, round(1 - product(1 - weight), 6) as confidence,
        arg_min(category, (category = 'general', -weight, source)) as category,
        list({{'source': source, 'weight': weight}} order by source) as sources
      from once group by image_id, tag
    ), tags as (
      select image_id, list({{'tag': tag, 'category': category, 'confidence': confidence,
        'sources': sources}} order by confidence desc, tag) as tags
      from merged where confidence >= {given.confidence_min} group by image_id
    ), fields as (
      select b.image_id, {drawn} from best b join trust t using (source) group by b.image_id
    ), component as (
      select component, max(rank) as rank, bool_or(ai = 'yes') as ai
      from joined left join ratings using (rating) group by component
    ), lineage as (
      select image_id, list(image_key order by image_key) as members,
        list_sort(list_distinct(list(source) filter (role != 'dropped'))) as sources
      from joined where image_id is not null group by image_id
    )
    select s.image_id, s.image_key as representative, l.members, l.sources, s.pixels_sha256,
      s.pixels_width, s.pixels_height, s.pixels, s.aspect, s.bucket_width, s.bucket_height,
      year(f.created) as year, r.rating, c.ai, f.* exclude (image_id), t.tags
    from standing s join lineage l using (image_id) join fields f using (image_id)
    join component c using (component) left join ratings r using (rank)
    left join tags t using (image_id)"""


def prompts_query(given: Given, images: str) -> str:
    """The prompts of a table of images, as a query."""
    recipe = given.recipe
    groups = list(enumerate(recipe.groups))
    category = " ".join(
        f"when t.category = '{name}' then {rank}" for rank, g in groups for name in g.categories
    )
    priority = " ".join(f"when rank = {rank} then {g.priority}" for rank, g in groups)
    listed = " ".join(
        f"when tag in ({', '.join(repr(tag) for tag in g.tags)}) then {rank}"
        for rank, g in groups
        if g.tags
    )
    rank = {g.kind: rank for rank, g in groups}
    return f"""
    with images as (from {images}), tag as (
      select image_id, unnest(tags) t, generate_subscripts(tags, 1) place from images
    ), vocabulary as (
      select tag, case {listed} end as g,
        case when length(tag) <= {recipe.keep_underscore_length} then tag
          else replace(replace(tag, '_', ' '), ',', ' ') end as text
      from (select distinct t.tag as tag from tag)
      where not regexp_full_match(tag, '{given.strip}')
    ), unit as (
      select image_id, place, t.confidence as confidence, text,
        coalesce(g, case {category} end) as rank
      from tag join vocabulary v on t.tag = v.tag
      union all select image_id, 0, null, w.words, {rank["rating"]}
      from images join rating_words w using (rating)
      union all select image_id, 0, null, 'year ' || year, {rank["year"]}
      from images where year is not null
    ), counted as (
      select unit.*, tokens, case {priority} end as priority
      from unit join counts on counts.text = unit.text || ','
      where rank is not null
    ), spent as (
      select *, sum(tokens) over (partition by image_id order by priority, place) as used
      from counted
    ), whole as (
      select image_id,
        string_agg(text, ', ' order by rank, place)
          filter (used <= {recipe.token_budget}) as prompt,
        list({{'group': rank, 'tag': text, 'confidence': confidence}} order by rank, place)
          filter (used <= {recipe.token_budget}) as parts,
        list({{'group': rank, 'tag': text, 'confidence': confidence}} order by priority, place)
          filter (used > {recipe.token_budget}) as cut,
        (sum(tokens) filter (used <= {recipe.token_budget}))::int as tokens
      from spent group by image_id
    )
    select images.image_id, caption, prompt, parts, cut, tokens
    from images left join whole using (image_id) order by images.image_id"""
