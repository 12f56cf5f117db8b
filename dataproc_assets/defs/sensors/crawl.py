"""Notice of new objects in a source's crawl: by listing it, or by the events of its bucket."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg

from dataproc_assets.config.queues import QueueConfig
from dataproc_assets.defs.sensors.cursor import (
    Cursor,
    Failed,
    asked_already,
    failed_run,
    no_failure,
)
from dataproc_assets.storage import layout
from dataproc_assets.storage.followed import Followed
from dataproc_assets.storage.lake import Lake

INTAKE = ("inventory", "records", "todo")


def crawl_changes(
    lake: Lake, source: str, cursor: str | None, now: datetime, failed: Failed = no_failure
) -> dg.SensorResult:
    """Ask for the intake of a source whose crawl, as listed, differs from its inventory.

    Args:
        cursor: the sensor's, from the tick before.
        now: what the age of the newest object is counted to.

    Raises ConnectionError where the bucket cannot be listed, and ReportError where the report that
    stands for it is broken: the tick fails, and says why.
    """
    memory, listing = Cursor(cursor), lake.crawls.now(source)
    if listing.newest is None and not lake.info("inventory", source):
        place = lake.bucket.uri(lake.project.sources[source].crawl.prefix)
        reason = f"{source}: no object below {place}"
        return dg.SensorResult(skip_reason=reason, cursor=memory.text)
    times, known = [listing.newest] if listing.newest else [], f"{listing.what}, all known"
    return _ask(lake, source, memory, listing.digest, times, known, now, failed)


def event_changes(
    lake: Lake,
    source: str,
    cursor: str | None,
    now: datetime,
    failed: Failed = no_failure,
    warn: Callable[[str], object] = print,
) -> dg.SensorResult:
    """Take a queue's events into the lake, and ask for the intake of a source that has new ones.

    From time to time, as the YAML says, they ask for a complete listing as well.

    Raises ConnectionError where the queue cannot be reached: the tick fails, and says why. What it
    took until then is in the lake, and the next tick goes on from there.
    """
    memory, queue = Cursor(cursor), lake.project.profile.crawl.queues[source]
    taken = lake.crawls.take_events(source)
    if taken.rejected:
        folder = lake.store.uri(layout.event_rejects_path("*"))
        warn(f"{taken.rejected} messages are of no source, or cannot be read: see {folder}")
    crawl = lake.crawls.followed(source)
    seen = _seen(memory, source, crawl, now)
    if not seen["due"] and _is_old(crawl, queue, seen["removals"], now):
        crawl.ask_for_listing()
        crawl = crawl.again()
        seen = _seen(memory, source, crawl, now)
    known = f"{len(crawl.fresh_files)} files of events, all known"
    times = [datetime.fromisoformat(time) for time in seen["times"]]
    return _ask(lake, source, memory, seen["state"], times, known, now, failed)


def crawl_sensor(lake: Lake, source: str, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor of a source's crawl, in the way of notice that the profile gives it."""
    config, queued = lake.project.profile.sensors, source in lake.project.profile.crawl.queues

    @dg.sensor(
        name=f"{source}_{'events' if queued else 'crawl'}",
        target=dg.AssetSelection.assets(*INTAKE),
        description=f"Starts the intake of {source} "
        + ("on events of its bucket" if queued else "when its crawl changed")
        + ", once writing has paused.",
        minimum_interval_seconds=(
            config.interval_seconds if queued else config.listing_interval_seconds
        ),
        default_status=status,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        failed, now = failed_run(context.instance), datetime.now(UTC)
        if queued:
            return event_changes(lake, source, context.cursor, now, failed, context.log.warning)
        return crawl_changes(lake, source, context.cursor, now, failed)

    return sensor


def _ask(
    lake: Lake,
    source: str,
    memory: Cursor,
    state: str,
    times: list[datetime],
    known: str,
    now: datetime,
    failed: Failed,
) -> dg.SensorResult:
    """Ask for the intake, unless it knows this state, was asked for it, or the crawl is written."""

    def nothing(reason: str) -> dg.SensorResult:
        return dg.SensorResult(skip_reason=f"{source}: {reason}", cursor=memory.text)

    info = lake.info("inventory", source)
    made = info.inputs.get("crawl", "") if info else ""
    if made == state:
        memory.settle(source)
        return nothing(known)
    settle = lake.project.sources[source].settle_seconds
    if any(abs(now - time) < timedelta(seconds=settle) for time in times):
        return nothing(f"written to less than {settle} s ago")
    key = memory.ask(source, state, made)
    if key is None:
        return nothing(asked_already("the intake of this change", memory.key(source), failed))
    request = dg.RunRequest(
        run_key=key,
        partition_key=source,
        asset_selection=[dg.AssetKey(name) for name in INTAKE],
        tags={"dataproc/source": source},
    )
    return dg.SensorResult(run_requests=[request], cursor=memory.text)


def _seen(memory: Cursor, source: str, crawl: Followed, now: datetime) -> dict:
    """What the events say; read again only where there are others.

    `times` has the newest time up to `now` and the oldest after it: a clock may be wrong, and one
    event of the far future is not waited for.
    """

    def look() -> dict:
        times = crawl.times
        ends = [times.filter(times <= now).max(), times.filter(times > now).min()]
        return {
            "state": crawl.digest,
            "due": crawl.due,
            "removals": crawl.removals,
            "times": [time.isoformat() for time in ends if isinstance(time, datetime)],
        }

    return memory.note(source, crawl.files_digest, look)


def _is_old(crawl: Followed, queue: QueueConfig, removals: bool, now: datetime) -> bool:
    """Whether the last complete listing is older than the YAML lets it be.

    After a removal a listing is due sooner; a report cannot be made to come.
    """
    hours = queue.full_listing_every_hours
    if removals and not crawl.taken_at:
        hours = min(hours, queue.full_listing_after_removal_hours)
    listed = crawl.listed_at()
    return listed is not None and now - listed >= timedelta(hours=hours)
