from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.report_manifest import ReportError, newest_report
from dataproc_assets.storage.s3_report import read_report
from dataproc_assets_tests.s3 import BUCKET
from dataproc_assets_tests.storage.reports import FORMATS, TAKEN, Reports

PATHS = ["crawl/100_p0.webp", "crawl/a b+c&d=ü ぴ%20.jpg", 'crawl/x/"q",1.json', "crawl/z"]


@pytest.fixture
def reports(s3_url) -> Reports:
    store = ObjectStore(f"{s3_url}/root")
    for number, path in enumerate([*PATHS, "crawl-other/1", "other/2"]):
        store.put(path, b"x" * number)
    ObjectStore(s3_url).put("crawl/above-the-root", b"")
    return Reports(store)


def listing(reports: Reports) -> pl.DataFrame:
    objects = reports.store.list()
    return objects.filter(~pl.col("path").str.starts_with("inventory/"))


def read(reports: Reports, prefix: str = "crawl") -> pl.DataFrame:
    return read_report(newest_report(reports.url, BUCKET), reports.store, prefix)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("versions", [False, True])
def test_a_report_gives_what_a_listing_gives(reports, form, versions):
    reports.versions = versions
    rows = reports.rows(listing(reports))
    rows = pl.concat([rows, rows[:1].with_columns(key=pl.lit("crawl/not-below-the-root"))])
    reports.write(rows[:3].reverse(), rows[3:], rows[:0], form=form)
    found = read(reports)
    assert found["path"].to_list() == sorted(PATHS)
    assert_frame_equal(found, reports.store.list("crawl"))


@pytest.mark.parametrize("form", FORMATS)
def test_only_present_versions_count(reports, form):
    reports.versions = True
    rows = reports.rows(listing(reports))
    key = pl.lit(f"{reports.root}/crawl/deleted").alias("key")
    old = rows.with_columns(is_latest=pl.lit(False), e_tag=pl.lit("old"))
    gone = rows[:1].with_columns(key, is_delete_marker=pl.lit(True), e_tag=pl.lit(""))
    lost = rows[:1].with_columns(key, is_latest=pl.lit(False))
    reports.write(pl.concat([gone, old, rows, lost]), form=form)
    assert_frame_equal(read(reports), reports.store.list("crawl"))


def test_the_mark_of_a_folder_is_as_a_listing_has_it(reports):
    rows = reports.rows(listing(reports))
    key = pl.lit(f"{reports.root}/crawl/empty/").alias("key")
    reports.write(pl.concat([rows, rows[:1].with_columns(key, size=pl.lit(0, pl.Int64))]))
    assert set(read(reports)["path"]) == {*PATHS, "crawl/empty"}


def test_a_report_of_no_files_is_an_empty_listing(reports):
    reports.write()
    assert read(reports).is_empty()


def test_a_quoted_etag_is_the_same_version(reports):
    rows = reports.rows(listing(reports))
    reports.write(rows.with_columns(pl.format('"{}"', "e_tag").alias("e_tag")))
    assert_frame_equal(read(reports), reports.store.list("crawl"))


def test_the_newest_report_with_a_checksum_counts(reports):
    rows = reports.rows(listing(reports))
    late = datetime(2026, 2, 2, 1, tzinfo=UTC)
    reports.write(rows[:1], day="2026-01-31T01-00Z")
    reports.write(rows, day="2026-02-01T01-00Z")
    reports.write(rows[:1], day="2026-02-02T01-00Z", taken=late, checksum=False)
    report = newest_report(reports.url, BUCKET)
    assert report.taken_at == TAKEN
    assert report.place == f"{reports.url}/2026-02-01T01-00Z/manifest.json"
    path = reports.write(rows[:1], day="2026-02-02T01-00Z", taken=late)
    newer = newest_report(f"{reports.url}/", BUCKET)
    assert (newer.taken_at, newer.place) == (late, reports.store.uri(path))
    assert newer.digest != report.digest


def refused(reports: Reports) -> str:
    with pytest.raises(ReportError) as caught:
        read(reports)
    return str(caught.value)


def test_a_folder_without_a_report_says_what_it_should_be(reports):
    said = refused(reports)
    assert said.startswith(f"{reports.url}: there is no complete S3 Inventory report (it is empty)")
    assert f"s3://bucket/prefix/{BUCKET}/config-id" in said
    reports.write(reports.rows(listing(reports)), checksum=False)
    assert "(there are 2026-02-01T01-00Z, data, hive)" in refused(reports)


def test_a_wrong_checksum_is_refused_and_no_older_report_taken(reports):
    rows = reports.rows(listing(reports))
    reports.write(rows, day="2026-01-31T01-00Z")
    path = reports.write(rows)
    reports.store.put(path, reports.store.get(path).replace(b"2016", b"2017"))
    said = refused(reports)
    assert said.startswith(f"{reports.store.uri(path)}: its MD5 is ")
    assert "manifest.checksum says" in said and "take the source out of crawl.reports" in said


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no manifest of S3 Inventory: Invalid JSON"),
        (b"[]", "no manifest of S3 Inventory: "),
        (b'{"sourceBucket": "test"}', "creationTimestamp: Field required"),
        (b'{"sourceBucket": "t", "files": [{"key": "x"}]}', "creationTimestamp: Field required"),
    ],
)
def test_a_broken_manifest_is_refused(reports, data, what):
    reports.put_manifest(data)
    said = refused(reports)
    assert said.startswith(f"{reports.url}/2026-02-01T01-00Z/manifest.json: it is no manifest")
    assert what in said


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"fileFormat": "Avro"}, "fileFormat: Input should be 'CSV', 'Parquet' or 'ORC'"),
        ({"creationTimestamp": "today"}, "creationTimestamp: "),
        ({"files": [{"key": "x", "size": 1}]}, "files.0.MD5checksum: Field required"),
        ({"sourceBucket": "another"}, "a report of the bucket 'another', not of 'test'"),
    ],
)
def test_a_manifest_of_something_else_is_refused(reports, change, what):
    reports.manifest = change
    reports.write(reports.rows(listing(reports)))
    assert what in refused(reports)


def test_a_missing_manifest_is_refused(reports):
    reports.store.delete(reports.write(reports.rows(listing(reports))))
    assert "manifest.json: it is missing, though its checksum is there; " in refused(reports)


def test_a_missing_file_is_refused(reports):
    path = reports.write(reports.rows(listing(reports)))
    reports.store.delete(f"{reports.folder}/data/2026-02-01T01-00Z-0.parquet")
    said = refused(reports)
    place = f"{reports.url}/data/2026-02-01T01-00Z-0.parquet"
    assert said.startswith(f"{place}: it is missing, but {reports.store.uri(path)} names it; ")


@pytest.mark.parametrize("edit", [lambda data: data[:-1], lambda data: data[:-1] + b"?"])
def test_another_file_is_refused_before_a_row_is_read(reports, edit):
    reports.write(reports.rows(listing(reports)), form="csv")
    path = f"{reports.folder}/data/2026-02-01T01-00Z-0.csv"
    reports.store.put(path, edit(reports.store.get(path)))
    said = refused(reports)
    assert said.startswith(f"{reports.store.uri(path)}: it has ") and "bytes and the MD5" in said


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("name", "title"),
    [("e_tag", "ETag"), ("size", "Size"), ("last_modified_date", "LastModifiedDate")],
)
def test_a_missing_column_is_named(reports, form, name, title):
    reports.without = (name,)
    reports.write(reports.rows(listing(reports)), form=form)
    assert refused(reports).endswith(
        f"it lacks the column {title}; add it to the fields of the inventory configuration"
    )


@pytest.mark.parametrize(
    ("form", "schema"), [("parquet", "..."), ("orc", "..."), ("csv", "Bucket, Key")]
)
def test_a_file_of_another_format_is_refused(reports, form, schema):
    kind = {"parquet": "ORC", "orc": "Parquet", "csv": "Parquet"}[form]
    reports.manifest = {"fileFormat": kind, "fileSchema": schema}
    reports.write(reports.rows(listing(reports)), form=form)
    assert f"{form}: it cannot be read: " in refused(reports)


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("last_modified_date", "yesterday", "a value cannot be read: conversion from `str`"),
        ("size", "many", "a value cannot be read: conversion from `str`"),
        ("size", "", "a value cannot be read"),
        ("e_tag", "", "has no size, time or ETag"),
    ],
)
def test_a_value_that_is_none_is_refused(reports, column, value, what):
    rows = reports.rows(listing(reports))
    texts = rows.with_columns(
        pl.col("size").cast(pl.String),
        pl.col("last_modified_date").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
    ).with_columns(pl.lit(value).alias(column))
    reports.write(texts, form="csv")
    said = refused(reports)
    assert said.startswith(f"{reports.url}/data/") and what in said


@pytest.mark.parametrize("key", ["a//b", "a/../b", "./b", "/b"])
def test_a_key_that_is_no_path_is_one_of_the_objects(reports, key):
    rows = reports.rows(listing(reports))
    odd = rows[:1].with_columns(key=pl.lit(f"{reports.root}/crawl/{key}"))
    reports.write(pl.concat([rows, odd]), form="csv.gz")
    assert f"crawl/{key}" in read(reports)["path"].to_list()


def test_a_bucket_of_reports_that_is_away_is_a_connection_error(s3):
    with pytest.raises(ConnectionError, match="s3://nowhere/a/b: cannot be listed: NoSuchBucket"):
        newest_report("s3://nowhere/a/b", BUCKET)
