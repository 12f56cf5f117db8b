"""What is known of images, gathered over all sources, a part of the images at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dataproc_assets.defs.table_parts import Table, open_tables
from dataproc_assets.safety.flags import with_opt_out
from dataproc_assets.safety.quarantine import by_id_only
from dataproc_assets.storage.ahead import ahead
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.spill import Spill
from dataproc_assets.storage.tables import TableInfo
from dataproc_assets.transforms.merge_images import (
    CAPTIONS,
    FACT_COLUMNS,
    MEMBER_COLUMNS,
    ROW_COLUMNS,
    image_facts,
    known_of,
    merge_part,
    merges,
)
from dataproc_assets.transforms.namespace import strip_namespace

AHEAD = 2  # parts that are read or merged while one is sorted or written
_KEPT = 5  # spills side by side in memory at most
_ASKED = ("artist_ids", *(name for name in FACT_COLUMNS if name != "opt_out"))


class ImagePart(NamedTuple):
    """What `merge_part` takes, of some images; of some keys with the facts of each member."""

    members: pl.DataFrame
    rows: pl.DataFrame
    facts: pl.DataFrame
    captions: pl.DataFrame


class ImageParts(NamedTuple):
    """The images by the hash of their ids: `count` parts, each of which can be taken once."""

    count: int
    take: Callable[[int], ImagePart]


def open_images(lake: Lake, folder: Path) -> ImageParts:
    """Gather what is known of each image, which lies in the tables by the keys of its members.

    With one bucket a table there is one part, which is held; with more, what does not fit the
    profile's memory goes below `folder`.
    """
    tables: dict[str, Table] = {name: (name, None) for name in ("members", *_late_texts(lake))}
    sources, memory_mb = sorted(lake.project.sources), lake.project.profile.storage.memory_mb // 2
    tables |= {f"augmented/{source}": ("augmented", source) for source in sources}
    count, read = open_tables(lake, tables, folder / "keys", memory_mb)

    def keys(part: int) -> ImagePart:
        return _of_keys(lake, lambda table: read(table, part))

    if count == 1:
        return ImageParts(1, lambda part: _with_facts(keys(part)))
    return _by_image(ahead(keys, range(count), AHEAD), count, folder, memory_mb // _KEPT)


def write_images(
    lake: Lake,
    inputs: dict[str, str],
    held: pl.DataFrame,
    folder: Path,
    look: Callable[[pl.DataFrame], None],
) -> TableInfo:
    """Write the table `images`, with the ids alone of those whose representative is `held`.

    `look` is shown the rows of each part; what does not fit in memory goes below `folder`.
    """
    project, parts = lake.project, open_images(lake, folder)
    trust = {name: source.trust for name, source in project.sources.items()}
    table = lake.writer("images", None, key="image_id")

    def merged(part: int) -> pl.DataFrame:
        known = parts.take(part)._asdict()
        images = merge_part(**known, curation=project.curation, trust=trust)
        told = by_id_only(images.lazy(), held.lazy()).collect()
        return told.with_columns(pl.col("image_id").set_sorted())  # it is not sorted again

    for part, rows in enumerate(ahead(merged, range(parts.count), AHEAD)):
        table.add(rows, parts.count, part)
        look(rows)
    return table.finish(inputs, lake.code_version("images", None))


def _with_facts(part: ImagePart) -> ImagePart:
    return part._replace(facts=image_facts(part.facts))


def _by_image(parts: Iterator[ImagePart], count: int, folder: Path, memory_mb: int) -> ImageParts:
    """Sort what is known by keys into parts by image."""
    spills = {name: Spill(folder / name, count, memory_mb) for name in ImagePart._fields}
    known = Spill(folder / "known", count, memory_mb)
    for part in parts:
        members = part.members.drop_nulls("image_id")
        known.add(part.facts, "component")
        spills["members"].add(members, "image_id")
        of = members.filter(merges()).select("image_key", "image_id")
        spills["rows"].add(part.rows.join(of, on="image_key"), "image_id")
        spills["captions"].add(part.captions.join(of, on="image_key"), "image_id")
    for number in range(count):
        spills["facts"].add(image_facts(known.take(number)), "image_id")
    return ImageParts(
        count, lambda number: ImagePart(**{name: one.take(number) for name, one in spills.items()})
    )


def _of_keys(lake: Lake, read: Callable[[str], pl.LazyFrame]) -> ImagePart:
    """What is known of some keys; its facts are those that `known_of` gives."""
    members = read("members").select(MEMBER_COLUMNS).collect()
    sources = {
        source: strip_namespace(read(f"augmented/{source}"), source)
        for source in sorted(lake.project.sources)
    }
    rows = pl.concat(_rows(lake, source, some) for source, some in sources.items())
    texts = [pl.DataFrame(schema=CAPTIONS).lazy()]
    for name, metric in lake.project.metrics.items():
        if metric.text_column:
            said = [read(name)] if name in lake.project.late_metrics else sources.values()
            text = pl.col(metric.text_column).alias("caption_text")
            texts += [some.select("image_key", text).drop_nulls() for some in said]
    captions = pl.concat(texts).collect()
    return ImagePart(members, rows.drop(FACT_COLUMNS), known_of(members, rows), captions)


def _rows(lake: Lake, source: str, augmented: pl.LazyFrame) -> pl.DataFrame:
    named = augmented.with_columns(source=pl.lit(source)).select(*ROW_COLUMNS, *_ASKED)
    asked = with_opt_out(named, lake.project.safety)
    return asked.select(*ROW_COLUMNS, *FACT_COLUMNS).collect()


def _late_texts(lake: Lake) -> list[str]:
    late = lake.project.late_metrics
    return [name for name, metric in late.items() if metric.text_column]
