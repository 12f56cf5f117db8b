"""Notice of work that waits: images to score, and releases whose latents are to be encoded."""

from collections.abc import Callable

import dagster as dg

from dataproc_assets.defs.sensors.cursor import Cursor, Failed, asked_already, no_failure
from dataproc_assets.storage import layout
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.units import SUFFIX, iter_units
from dataproc_assets.transforms.pending import pass_seconds


def pending_passes(
    lake: Lake, cursor: str | None = None, failed: Failed = no_failure
) -> dg.SensorResult:
    """Ask for the metric pass of every source with pending units within the budget."""
    memory, requests, reasons = Cursor(cursor), [], []
    for source in sorted(lake.project.sources):
        paths = lake.store.list(layout.todo_path(source))["path"]
        units = sorted(path for path in paths if path.endswith(SUFFIX))
        if not units:
            memory.settle(source)
            continue
        seconds = memory.note(source, *_cost(lake, source, units))
        if seconds > lake.project.profile.budget.pass_seconds:
            reasons.append(f"{source}: about {seconds:.0f} s is over the budget; start it by hand")
            continue
        key = memory.ask(source, json_digest(units))
        if key is None:
            reasons.append(asked_already(f"{source}: the pass", memory.key(source), failed))
            continue
        requests.append(
            dg.RunRequest(
                run_key=key,
                partition_key=source,
                asset_selection=[dg.AssetKey(name) for name in lake.project.pass_metrics],
                tags={"dataproc/source": source},
            )
        )
    nothing = "; ".join(reasons) or "all that is eligible is scored"
    return _result(memory, requests, nothing)


def unencoded_releases(
    lake: Lake, cursor: str | None = None, failed: Failed = no_failure
) -> dg.SensorResult:
    """Ask for the latents of every published release that has none."""
    memory, requests, reasons = Cursor(cursor), [], []
    for name in sorted(lake.project.releases):
        published = lake.state("release", name) if lake.asked("latents", name) else ""
        if not published or lake.state("latents", name):
            memory.settle(name)
            continue
        key = memory.ask(name, published)
        if key is None:
            reasons.append(asked_already(f"{name}: encoding", memory.key(name), failed))
            continue
        asset = [dg.AssetKey("latents")]
        requests.append(dg.RunRequest(run_key=key, partition_key=name, asset_selection=asset))
    nothing = "; ".join(reasons) or "every published release has its latents"
    return _result(memory, requests, nothing)


def _cost(lake: Lake, source: str, units: list[str]) -> tuple[str, Callable[[], float]]:
    """What the estimate for a source's units depends on, and how it is made, in seconds."""
    each = lake.parts.rate(source).seconds

    def weigh() -> float:
        found = iter_units(lake.store, layout.todo_path(source))
        return sum((pass_seconds(rows, each) for _, rows in found), 0.0)

    return json_digest([units, each]), weigh


def _result(memory: Cursor, requests: list[dg.RunRequest], nothing: str) -> dg.SensorResult:
    reason = None if requests else dg.SkipReason(nothing)
    return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=memory.text)
