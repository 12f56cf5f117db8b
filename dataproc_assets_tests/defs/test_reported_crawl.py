"""A crawl that is read from S3 Inventory reports, through the sensor and the intake."""

from datetime import timedelta

import dagster as dg
import pytest

from dataproc_assets.storage import layout
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.report_manifest import ReportError
from dataproc_assets.storage.units import read_units
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.storage.reports import TAKEN, Reports

INTAKE = ("inventory", "records", "todo")
PREFIX = "dataset-pixiv"


@pytest.fixture
def reports(crawled: World, s3_url) -> Reports:
    """Where reports go of a crawl that lies on S3, and is listed until the profile names one."""
    store = ObjectStore(f"{s3_url}/crawl")
    for path in (path for path in crawled.bucket.rglob("*") if path.is_file()):
        store.put(str(path.relative_to(crawled.bucket)), path.read_bytes())
    crawled.change("profiles/local.yaml", lambda conf: conf["crawl"].update(root=store.url))
    return Reports(store)


def follow(world: World, reports: Reports) -> None:
    """Read pixiv's objects from reports from now on."""
    named = {"pixiv": reports.url}
    world.change("profiles/local.yaml", lambda conf: conf["crawl"].update(reports=named))


def write(reports: Reports, hours: int = 0, leave_out: str = " ") -> None:
    """Write a report of what is there, taken `hours` after the first."""
    found = reports.store.list(PREFIX)
    rows = reports.rows(found).filter(~found["path"].str.contains(leave_out, literal=True))
    taken = TAKEN + timedelta(hours=hours)
    reports.write(rows, day=f"{taken:%Y-%m-%dT%H-%MZ}", taken=taken)


def make(world: World) -> None:
    assert world.make(*INTAKE, partition="pixiv").success


def tick(world: World) -> tuple[list[str | None], str | None]:
    """The sources that the sensor of pixiv's crawl asks for, or why it asks for none."""
    (sensor,) = [sensor for sensor in world.definitions.sensors if sensor.name == "pixiv_crawl"]
    with dg.build_sensor_context(instance=world.instance, definitions=world.definitions) as context:
        found = sensor.evaluate_tick(context)
    return [asked.partition_key for asked in found.run_requests or []], found.skip_message


def images(world: World) -> dict[str, str]:
    rows = world.lake.read("inventory", "pixiv").select("image_key", "version").collect()
    return dict(rows.iter_rows())


def pending(world: World) -> int:
    return len(read_units(world.lake.store, layout.todo_path("pixiv")))


def test_going_over_to_reports_asks_once_and_scores_nothing_again(crawled: World, reports: Reports):
    make(crawled)
    crawled.score("pixiv")
    make(crawled)
    before = crawled.lake.read("inventory", "pixiv").collect()
    assert pending(crawled) == 0
    write(reports)
    follow(crawled, reports)
    asked, _ = tick(crawled)
    assert asked == ["pixiv"]
    make(crawled)
    assert crawled.lake.read("inventory", "pixiv").collect().equals(before)
    assert pending(crawled) == 0
    assert tick(crawled) == ([], "pixiv: the report of 2026-02-01 01:00 UTC, all known")


def test_what_was_put_after_the_report_was_taken_is_not_removed(crawled: World, reports: Reports):
    make(crawled)
    before = images(crawled)
    write(reports, leave_out="101_p0")  # as if 101 had been put after the report was taken
    follow(crawled, reports)
    make(crawled)
    assert images(crawled) == before
    hours = (24 * 365) * 100  # a report that is newer than the objects removes what it lacks
    write(reports, hours=hours, leave_out="101_p0")
    limit = {"removed_share_max": 1.0}
    crawled.change("sources/pixiv.yaml", lambda conf: conf.update(limit))
    make(crawled)
    assert images(crawled) == {key: v for key, v in before.items() if key != "pixiv/101_p0"}


@pytest.mark.parametrize("fault", ["checksum", "manifest", "file"])
def test_a_broken_report_changes_nothing(crawled: World, reports: Reports, fault):
    write(reports)
    follow(crawled, reports)
    make(crawled)
    before = crawled.lake.store.list()
    write(reports, hours=24)
    folder = f"{reports.folder}/2026-02-02T01-00Z"
    if fault == "checksum":
        reports.store.put(f"{folder}/manifest.checksum", b"0" * 32)
    elif fault == "manifest":
        reports.put_manifest(b"{", "2026-02-02T01-00Z")
    else:
        reports.store.delete(f"{reports.folder}/data/2026-02-02T01-00Z-0.parquet")
    assert not crawled.make("inventory", partition="pixiv").success
    assert crawled.lake.store.list().equals(before)
    with pytest.raises(ReportError, match="2026-02-02T01-00Z"):
        _ = crawled.lake.crawls.now("pixiv").frame
