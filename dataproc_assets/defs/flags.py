"""What speaks against each known image, read off all tables a part of the keys at a time."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from dataproc_assets.defs.once import once
from dataproc_assets.defs.table_parts import Table, open_tables
from dataproc_assets.safety.facts import add_facts, fact_columns, machine_facts, row_facts
from dataproc_assets.safety.flags import NEVER_FLAGS, component_flags
from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.transforms.namespace import strip_namespace

ROWS_AT_ONCE = 1 << 18  # of a part, while their tags and texts are read


def flags(lake: Lake) -> pl.LazyFrame:
    """What speaks against each known row, over its whole component: as `component_flags`.

    What the quarantine ledger names stays under the never rules, whatever its records say now.
    An asset and its checks ask for the same; it is found once for one state of the tables, of the
    ledger and of safety.yaml.
    """
    return once(lake, "flags", flags_state(lake), lambda: _find(lake)).lazy()


def flags_state(lake: Lake) -> str:
    """The digest of all that `flags` are found from."""
    late = {name: lake.state(name, None) for name in lake.project.late_metrics}
    augmented = {name: lake.state("augmented", name) for name in lake.project.sources}
    members, held = lake.state("dedup_cross", None), read_ledger(lake.store, "quarantine")
    safety = lake.project.safety.model_dump(mode="json")
    return json_digest([late, augmented, members, frame_digest(held), safety])


def _find(lake: Lake) -> pl.DataFrame:
    with TemporaryDirectory(prefix="flags-") as folder:
        found = component_flags(pl.concat(_facts(lake, Path(folder))).lazy()).collect().lazy()
    held = read_ledger(lake.store, "quarantine").lazy().select("image_key").unique()
    components = found.join(held, on="image_key").select("component", held=True).unique()
    known = found.join(components, on="component", how="left", maintain_order="left")
    judged = pl.col("flags").list.set_intersection(list(NEVER_FLAGS)).list.len() > 0
    never = pl.concat_list(pl.lit(NEVER_FLAGS[0]), "flags")
    whole = pl.when(pl.col("held").is_not_null() & ~judged).then(never).otherwise("flags")
    return known.with_columns(flags=whole).drop("held").collect()


def _facts(lake: Lake, folder: Path) -> Iterator[pl.DataFrame]:
    """The facts of all rows of all sources with their `component`, by parts of the keys' hash."""
    sources, late = sorted(lake.project.sources), sorted(lake.project.late_metrics)
    tables: dict[str, Table] = {name: (name, None) for name in ("members", *late)}
    tables |= {f"augmented/{source}": ("augmented", source) for source in sources}
    count, read = open_tables(lake, tables, folder, lake.project.profile.storage.memory_mb)
    for part in range(count):
        components = read("members", part).select("image_key", "component").collect()
        said = [_late_facts(lake, name, read(name, part)) for name in late]
        for source in sources:
            rows = _rows(lake, source, read(f"augmented/{source}", part))
            facts = pl.concat(row_facts(some, lake.project.safety) for some in rows)
            for more in said:
                facts = add_facts(facts, more)
            yield facts.join(components, on="image_key", how="left", maintain_order="left")


def _rows(lake: Lake, source: str, augmented: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """What `row_facts` reads of a source's rows, so many at a time."""
    rows = _read(lake, strip_namespace(augmented, source).with_columns(source=pl.lit(source)))
    height = augmented.select(pl.len()).collect().item()
    for start in range(0, max(height, 1), ROWS_AT_ONCE):
        yield rows.slice(start, ROWS_AT_ONCE).collect()


def _late_facts(lake: Lake, metric: str, rows: pl.LazyFrame) -> pl.DataFrame:
    """What a metric that ran late said of the images that it ran on."""
    return machine_facts(_read(lake, rows).collect(), lake.project.safety)


def _read(lake: Lake, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The columns that count, a captioner's text under the name `caption_text`."""
    known = rows.collect_schema()
    texts = {metric.text_column for metric in lake.project.metrics.values()} & {*known}
    rows = rows.rename({column: "caption_text" for column in texts if column})
    return rows.select(fact_columns(rows.collect_schema(), lake.project.safety))
