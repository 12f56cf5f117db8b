"""A world whose crawl is followed by the events of its bucket."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from dataproc_assets.defs.sensors.crawl import event_changes
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.units import read_units, unit_rows
from dataproc_assets_tests.defs.posts import picture, pixiv_record
from dataproc_assets_tests.defs.results import cause
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.sqs import Events

INTAKE = ("inventory", "records", "todo")
FOLDER = "dataset-pixiv/resized_1"
SETTLED = timedelta(minutes=2)


class Follow:
    """A world whose crawl of pixiv lies on S3 and is followed by events."""

    def __init__(self, world: World, events: Events, **queue: object) -> None:
        self.world, self.events, self.cursor = world, events, None
        self.warned: list[str] = []

        def edit(profile):
            named = {"pixiv": events.config(**queue).model_dump(mode="json")}
            profile["crawl"] |= {"root": f"s3://{events.bucket}", "queues": named}

        world.change("profiles/local.yaml", edit)

    @property
    def lake(self) -> Lake:
        return self.world.lake

    def drop(self, number: int, content: int | None = None) -> str:
        """A work with its picture and its record; returns the picture's version."""
        record = json.dumps(pixiv_record(number)).encode()
        self.events.put(f"{FOLDER}/{number}_p0.json", record)
        return self.events.put(f"{FOLDER}/{number}_p0.png", picture(content or number))

    def tick(self, now: datetime | None = None, keep: bool = True) -> dg.SensorResult:
        """A tick, with the cursor of the one before it; a crash does not keep its own."""
        now = now or datetime.now(UTC) + SETTLED
        outcome = event_changes(self.lake, "pixiv", self.cursor, now, warn=self.warned.append)
        self.cursor = outcome.cursor if keep else self.cursor
        return outcome

    def intake(self) -> dg.ExecuteInProcessResult:
        result = self.world.make(*INTAKE, partition="pixiv")
        assert result.success, cause(result)
        return result

    def versions(self) -> dict[str, str]:
        """The images of the inventory that are there."""
        rows = self.lake.read("inventory", "pixiv").collect()
        return dict(rows.filter(~rows["removed"]).select("image_key", "version").iter_rows())

    def pending(self) -> list[tuple[str, str]]:
        """What the units ask for, by key and version."""
        rows = unit_rows(read_units(self.lake.store, layout.todo_path("pixiv")))
        return [] if rows is None else list(rows.select("image_key", "version").iter_rows())


@pytest.fixture
def follow(tmp_path, events) -> Follow:
    return Follow(World.create(tmp_path / "world"), events)
