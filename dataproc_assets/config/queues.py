"""A queue that a bucket sends its events to, for one source."""

from typing import Annotated

from pydantic import Field

from dataproc_assets.config.base import StrictModel

Hours = Annotated[float, Field(gt=0)]


class QueueConfig(StrictModel):
    """An SQS queue of S3 event notifications, which stand in for listing a source again and again.

    Sources may share a queue: each event goes to the source whose prefix its key has. A tick waits
    `wait_seconds` at most for a first message and `timeout_seconds` for an answer, asks with
    `connections` requests at a time, keeps about `messages_per_file` messages in a file and leaves
    what is over `messages_per_tick` to the next. All objects are listed again when the last
    complete listing is older than `full_listing_every_hours`, and after a removal, which no event
    applies, when it is older than `full_listing_after_removal_hours`. Where a report stands for
    the listing, the newest one is read then, and counts for events that are older than it by
    `report_lag_hours`: S3 may leave the newest objects out. `keep_events_days` is as long as the
    queue keeps messages: so long an event that comes again is known.
    """

    url: Annotated[str, Field(pattern=r"^https?://[^/]+/.+")]
    wait_seconds: Annotated[int, Field(ge=0, le=20)]
    timeout_seconds: Annotated[int, Field(ge=1, le=30)]
    connections: Annotated[int, Field(ge=1, le=64)]
    messages_per_file: Annotated[int, Field(ge=1)]
    messages_per_tick: Annotated[int, Field(ge=1)]
    full_listing_every_hours: Hours
    full_listing_after_removal_hours: Hours
    keep_events_days: Annotated[float, Field(ge=0)]
    report_lag_hours: Annotated[float, Field(ge=0)] = 48.0
