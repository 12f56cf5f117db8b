import json
from hashlib import sha256

import polars as pl
import pytest

from dataproc_assets.storage.layout import done_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.scored import part_figures
from dataproc_assets.storage.tables import write_table
from dataproc_assets.takedown.receipts import (
    UnknownReceipt,
    find_receipt,
    receipt_lines,
    receipts,
    write_receipt,
)
from dataproc_assets.takedown.snapshot import Change, Snapshot, changes, snapshot

ENTRY = {
    "id": "abcdef123456",
    "kind": "key",
    "value": "pixiv/1_p0",
    "date": "2026-01-01",
    "reason": "asked",
    "scope": "picture",
    "of": "",
}


def told(applied: str = "2026-01-02T03:04:05+00:00", **values):
    return {
        "applied": applied,
        "purged": True,
        "entries": [ENTRY],
        "images": [{"image_key": "pixiv/1_p0", "of": ENTRY["id"], "why": "named"}],
        "revocation": None,
        "releases": {"demo": "demo.1"},
        "artefacts": [Change("stages/a/b", "1" * 64, "2" * 64), Change("x/y", "3" * 64, None)],
        "versions": 3,
        **values,
    }


def test_a_receipt_comes_back_by_its_id_and_by_its_entries(store):
    first = write_receipt(store, **told())
    second = write_receipt(store, **told("2026-02-01T00:00:00+00:00", purged=False))
    assert receipts(store) == [first, second]
    assert find_receipt(store, first.id) == first
    assert find_receipt(store, "abcdef") == second  # the newest
    with pytest.raises(UnknownReceipt, match=f"no receipt 'zz'; there are {first.id}, {second.id}"):
        find_receipt(store, "zz")


def test_a_receipt_names_what_changed_and_for_whom(store):
    text = "\n".join(receipt_lines(write_receipt(store, **told())))
    for part in (
        "purged 2026-01-02T03:04:05+00:00",
        "abcdef123456  2026-01-01  key pixiv/1_p0: asked",
        "pixiv/1_p0 (named)",
        "release demo is withdrawn; demo.1 takes its place",
        "3 old versions of objects deleted",
        "artefacts: 1 changed, 1 deleted",
        "111111111111 -> 222222222222  b",
        "333333333333 -> ------------  ",
    ):
        assert part in text, part


def test_two_snapshots_tell_what_is_new_changed_and_gone(store):
    for path in ("stages/same", "stages/changed", "stages/gone", "ledger/x/1", "receipts/1.json"):
        store.put(path, path.encode())
    before = snapshot(store)
    assert set(before.digests) == {"stages/same", "stages/changed", "stages/gone"}
    store.put("stages/changed", b"other bytes of another length")
    store.put("units/new", b"new")
    store.put("ledger/x/2", b"an entry")
    store.delete("stages/gone")
    after = snapshot(store, Snapshot.parse(before.to_json()))
    found = {change.path: (change.before, change.after) for change in changes(before, after)}
    assert set(found) == {"stages/changed", "stages/gone", "units/new"}
    assert None not in found["stages/changed"]
    assert found["stages/gone"][1] is None and found["units/new"][0] is None
    assert changes(after, snapshot(store)) == []


def test_digests_that_others_name_are_not_read_again(store):
    table = write_table(store, "stages/a/b", pl.DataFrame({"k": ["x", "y"]}), key="k", buckets=2)
    part, unmarked = "units/metrics/m/f/pixiv/u1.m.parquet", "units/metrics/m/f/pixiv/u2.m.parquet"
    frame = pl.DataFrame({"image_key": ["x"], "status": ["ok"], "error": [None]})
    odd = "units/metrics/m/f/pixiv/u3.m.parquet"
    for path in (part, unmarked, odd):
        store.put(path, to_parquet(frame))
    store.put(done_path(odd), b"no mark")
    store.put(done_path(part), json.dumps(part_figures(frame, store.get(part))).encode())
    store.put(done_path(unmarked), b"{}")
    store.put("stages/c/d/manifest.json", b"no manifest")
    files = [f"stages/a/b/{bucket.file}" for bucket in table.buckets]
    read: list[str] = []

    class Noted(ObjectStore):
        def get(self, path: str, max_bytes: int | None = None, *, version: str | None = None):
            read.append(path)
            return super().get(path, max_bytes, version=version)

        def get_range(self, path: str, offset: int, length: int):
            read.append(path)
            return super().get_range(path, offset, length)

    found = snapshot(Noted(store.url)).digests
    assert found == {path: sha256(store.get(path)).hexdigest() for path in found}
    assert set(found) == set(store.list()["path"])
    assert unmarked in read and not {part, *files} & set(read)

    for path in (part, files[0]):
        store.put(path, store.get(path) + b"longer")
    found = snapshot(store).digests
    assert found == {path: sha256(store.get(path)).hexdigest() for path in found}
