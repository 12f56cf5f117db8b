from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataproc_assets.storage.crawl import FILE_SCHEMA
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parsed import Parsed, ParsedFiles
from dataproc_assets_tests.storage.test_record_files import READING

FOLDER = "units/records/x/f"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def files(*named: tuple) -> pl.DataFrame:
    """Files of (name, version), or members of (name, version, offset, time of the shard)."""
    rows = []
    for name, version, *member in named:
        offset, modified = member or (None, NOON)
        length = None if offset is None else 1
        rows.append((name, f"/b/{name}", offset, length, 1, version, modified))
    return pl.DataFrame(rows, schema=FILE_SCHEMA, orient="row")


class Parser:
    """Two rows a file, none of `empty`; of `gone` a row that must not be kept."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.version = ""

    def __call__(self, group: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        names = group["name"].to_list()
        if "broken" in names:
            raise ConnectionError("lost")
        self.seen += names
        counts = [0 if name == "empty" else 1 if name == "gone" else 2 for name in names]
        rows = [
            (number, f"{name} {version} {row}")
            for number, (name, version) in enumerate(zip(names, group["version"], strict=True))
            for row in range(counts[number])
        ]
        frame = pl.DataFrame(rows, {"file": pl.UInt32, "text": pl.String}, orient="row")
        return frame, pl.Series([name != "gone" for name in names], dtype=pl.Boolean)


def run(store: ObjectStore, listed: pl.DataFrame, **changes: int) -> tuple[list[str], list[str]]:
    """The rows of the files, sorted, and what was parsed."""
    parse = Parser()
    found = ParsedFiles(store, FOLDER, READING.model_copy(update=changes)).rows(listed, parse)
    assert isinstance(found, Parsed)
    assert (found.parsed, found.known) == (len(parse.seen), listed.height - len(parse.seen))
    return sorted(found.rows["text"]), parse.seen


def units(store: ObjectStore) -> list[str]:
    return store.list(FOLDER)["path"].to_list()


def test_a_file_is_parsed_once_and_again_when_it_changed(store):
    assert run(store, files(("a", "1"), ("b", "1"), ("empty", "1"))) == (
        ["a 1 0", "a 1 1", "b 1 0", "b 1 1"],
        ["a", "b", "empty"],
    )
    changed = files(("a", "1"), ("b", "2"), ("empty", "1"), ("c", "1"))
    rows = ["a 1 0", "a 1 1", "b 2 0", "b 2 1", "c 1 0", "c 1 1"]
    assert run(store, changed) == (rows, ["b", "c"])
    assert run(store, changed) == (rows, [])


def test_no_files_give_no_rows_of_the_right_columns(store):
    found = ParsedFiles(store, FOLDER, READING).rows(files(), Parser())
    assert found.rows.schema == {"text": pl.String} and found.rows.height == 0


def test_a_member_of_a_shard_that_was_written_again_is_parsed_again(store):
    """Its own version, size and header time, may well be the same."""
    later = datetime(2026, 1, 2, tzinfo=UTC)
    assert run(store, files(("s", "1", 0, NOON), ("s", "1", 512, NOON)))[1] == ["s", "s"]
    assert run(store, files(("s", "1", 0, NOON), ("s", "1", 512, NOON)))[1] == []
    assert run(store, files(("s", "1", 0, later), ("s", "1", 512, later)))[1] == ["s", "s"]


def test_what_is_gone_has_its_reject_and_is_looked_for_again(store):
    assert run(store, files(("a", "1"), ("gone", "1"))) == (
        ["a 1 0", "a 1 1", "gone 1 0"],
        ["a", "gone"],
    )
    assert run(store, files(("a", "1"), ("gone", "1")))[1] == ["gone"]


def test_a_unit_that_was_cut_edited_or_renamed_is_made_again(store):
    listed = files(("a", "1"), ("b", "1"))
    rows, _ = run(store, listed)
    (unit,) = units(store)
    data = store.get(unit)
    store.put(unit, data[:-5])
    assert run(store, listed) == (rows, ["a", "b"])
    assert units(store) == [unit]
    store.delete(unit)
    store.put(f"{FOLDER}/other.records.parquet", data)
    assert run(store, listed) == (rows, ["a", "b"])
    assert units(store) == [unit]


def test_an_intake_that_was_ended_goes_on_where_it_stopped(store):
    many = files(*((f"a{n}", "1") for n in range(4)))
    with pytest.raises(ConnectionError):
        run(store, pl.concat([many, files(("broken", "1"))]), unit_files=2)
    assert run(store, many, unit_files=2)[1] == []


def test_units_stay_few_and_hold_what_is_there(tmp_path):
    """Intakes of one more file each, and then all but one are taken away."""
    store, limits = ObjectStore(str(tmp_path)), {"unit_files": 6, "unit_bytes": 10**6}
    for count in range(1, 13):
        run(store, files(*((f"a{n}", "1") for n in range(count))), **limits)
        assert len(units(store)) <= count // 3 + 1
    assert run(store, files(("a11", "1")), **limits)[1] == []
    assert len(units(store)) == 1
    assert run(store, files(), **limits) == ([], [])
    assert units(store) == []


def test_a_file_in_two_units_counts_once(store):
    """As when a run ends between writing the new unit and taking the old ones away."""
    run(store, files(("a", "1")))
    old = {path: store.get(path) for path in units(store)}
    run(store, files(("a", "1"), ("b", "1")))
    for path, data in old.items():
        store.put(path, data)
    assert run(store, files(("a", "1"), ("b", "1"))) == (["a 1 0", "a 1 1", "b 1 0", "b 1 1"], [])


versions = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d", "empty", "gone"]), st.sampled_from("12")
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(versions, max_size=6), st.integers(1, 4), st.integers(1, 5))
def test_whatever_was_there_before_the_rows_are_those_of_a_fresh_run(
    tmp_path_factory, crawls, unit_files, unit_bytes
):
    store = ObjectStore(str(tmp_path_factory.mktemp("store")))
    before: dict[str, str] = {}
    for crawl in crawls:
        listed = files(*sorted(crawl.items()))
        limits = {"unit_files": unit_files, "unit_bytes": unit_bytes}
        rows, parsed = run(store, listed, **limits)
        fresh, _ = run(ObjectStore(str(tmp_path_factory.mktemp("fresh"))), listed, **limits)
        assert rows == fresh
        same = {name for name, version in crawl.items() if before.get(name) == version}
        assert not set(parsed) & (same - {"gone"})
        before = crawl
