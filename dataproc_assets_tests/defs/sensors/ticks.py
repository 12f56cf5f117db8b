"""What a tick asked for, or why it asked for nothing."""

from datetime import datetime, timedelta

import dagster as dg

from dataproc_assets_tests.defs.world import World


def request(outcome: dg.SensorResult) -> dg.RunRequest:
    """The one request of a tick that asks for a run."""
    assert not outcome.skip_reason, outcome.skip_reason
    (only,) = outcome.run_requests or ()
    return only


def reason(outcome: dg.SensorResult) -> str:
    """Why a tick asks for nothing."""
    assert not outcome.run_requests and outcome.skip_reason
    return outcome.skip_reason.skip_message or ""


def later(world: World, seconds: float = 3600) -> datetime:
    """A moment after the last file of pixiv's crawl was written."""
    newest = world.lake.crawls.now("pixiv").newest
    assert newest
    return newest + timedelta(seconds=seconds)
