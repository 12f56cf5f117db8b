from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from dataproc_assets.storage.layout import LEDGERS
from dataproc_assets.storage.ledger import LEDGER_SCHEMAS, append_ledger, read_ledger
from dataproc_assets_tests.stores import contents


def entries(*keys: str) -> pl.DataFrame:
    return pl.DataFrame({"image_key": keys, "rule": ["never"] * len(keys)})


def keys(store) -> list[str]:
    return read_ledger(store, "quarantine")["image_key"].to_list()


def test_every_ledger_starts_empty_with_its_columns(store):
    assert set(LEDGERS) == set(LEDGER_SCHEMAS)
    for ledger, schema in LEDGER_SCHEMAS.items():
        assert read_ledger(store, ledger).schema == schema
        assert read_ledger(store, ledger).is_empty()


def test_entries_are_kept_oldest_first_and_each_once(store):
    assert append_ledger(store, "quarantine", entries("z", "y")) == 2
    assert append_ledger(store, "quarantine", entries("a", "z", "a")) == 1
    assert append_ledger(store, "quarantine", entries("a", "y")) == 0
    assert append_ledger(store, "quarantine", entries()) == 0
    assert keys(store) == ["y", "z", "a"]


def test_an_append_never_changes_what_is_there(store):
    append_ledger(store, "quarantine", entries("a"))
    before = contents(store)
    append_ledger(store, "quarantine", entries("b"))
    assert {path: store.get(path) for path in before} == before
    assert len(store.list()) == 2


def test_writers_at_one_time_lose_nothing(store):
    names = [f"k{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: append_ledger(store, "quarantine", entries(name)), names))
        list(pool.map(lambda _: append_ledger(store, "quarantine", entries("same")), range(8)))
    assert sorted(keys(store)) == [*names, "same"]


def test_a_null_is_a_value_of_its_own(store):
    taken = {"kind": "key", "value": "a", "date": None, "reason": "asked"}
    assert append_ledger(store, "takedown", pl.DataFrame([taken])) == 1
    assert append_ledger(store, "takedown", pl.DataFrame([taken])) == 0
    assert append_ledger(store, "takedown", pl.DataFrame([{**taken, "date": "2024-01-01"}])) == 1


def test_entries_without_a_column_of_the_ledger_are_refused(store):
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="rule"):
        append_ledger(store, "quarantine", entries("a").drop("rule"))
    with pytest.raises(KeyError):
        read_ledger(store, "other")


def test_equal_appends_are_equal_files_on_a_folder_and_on_s3(both):
    for store in both:
        append_ledger(store, "quarantine", entries("b", "a"))
        append_ledger(store, "quarantine", entries("c"))
    one, other = ({p: s.get(p) for p in s.list()["path"]} for s in both)
    assert one == other
    assert len(one) == 2
