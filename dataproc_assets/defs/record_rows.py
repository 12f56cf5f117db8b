"""The rows of a source's record files: read and parsed where they are not known."""

from dataclasses import replace

import numpy as np
import polars as pl

from dataproc_assets.config.record_files import RecordFilesConfig
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.defs.takedowns import (
    has_takedowns,
    is_taken,
    note_records,
    of_taken_file,
    without_taken,
)
from dataproc_assets.sources.items import record_items
from dataproc_assets.sources.parse import parse_items
from dataproc_assets.storage import layout, reads
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.parsed import Parsed, ParsedFiles
from dataproc_assets.storage.record_files import read_files


def record_rows(lake: Lake, source: str, files: pl.DataFrame) -> Parsed:
    """The rows of files of a source, in the `PARSED_SCHEMA`; what is new is kept for the next time.

    Raises ConnectionError where a file cannot be read now.
    """
    config, reading = lake.project.sources[source], lake.project.profile.crawl.records
    fingerprint = json_digest(reads.parsing(lake.project, source))[:16]
    folder = layout.parsed_path(source, fingerprint)
    units = ParsedFiles(lake.store, folder, reading)

    def parse(group: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        rows, was_read = parse_files(config, reading, group)
        note_records(lake, source, rows)
        return without_taken(lake, source, rows), was_read

    found = units.rows(files.filter(~of_taken_file(lake, source, files["name"])), parse)
    note_records(lake, source, found.rows)
    if has_takedowns(lake):  # what was read before it was taken down
        units.forget(
            lambda rows: is_taken(lake, source, rows),
            lambda rows: of_taken_file(lake, source, rows["file_uri"]),
        )
        found = replace(found, rows=without_taken(lake, source, found.rows))
    for path in lake.store.list(layout.parsed_folder(source))["path"]:
        if not path.startswith(f"{folder}/"):
            lake.store.delete(path)  # of other code or another configuration
    return found


def parse_files(
    source: SourceConfig, reading: RecordFilesConfig, files: pl.DataFrame
) -> tuple[pl.DataFrame, pl.Series]:
    """The rows of files, each with the number of its file; and of each file, whether it was read.

    Raises ConnectionError where a file cannot be read now.
    """
    counts: list[int] = []
    was_read: list[bool] = []

    def items():
        for place, name, file in read_files(files, reading):
            counts.append(0)
            was_read.append(not isinstance(file, ValueError))
            for item in record_items(place, name, file, reading):
                counts[-1] += 1
                yield item

    rows = parse_items(source, items())
    number = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
    return rows.with_columns(file=pl.Series(number)), pl.Series(was_read, dtype=pl.Boolean)
