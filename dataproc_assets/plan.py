"""What a run would do now, why, how long it would take and what it would cost."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from rich.console import Console
from rich.table import Table

from dataproc_assets.defs.tables import late_folder, late_missing, late_pending
from dataproc_assets.runners import worker_count, worker_price
from dataproc_assets.storage import layout
from dataproc_assets.storage.flow import stage_inputs
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.rate import Rate
from dataproc_assets.storage.stages import partitions
from dataproc_assets.storage.units import iter_units
from dataproc_assets.transforms.estimate import HOUR, Estimate, duration, estimate_pass, over_budget

NEVER, CONFIGURED = "never made", "its configuration or the code changed"
INTAKE = ("inventory", "records", "todo")


@dataclass(frozen=True)
class Due:
    """A stage that a run would make, and why."""

    stage: str
    partition: str | None
    why: str


def due_stages(lake: Lake, source: str | None = None) -> Iterator[Due]:
    """Every stage that is stale now, in flow order.

    What a run makes changes what those after it read: a stage whose inputs are due is due too.

    Raises:
        ConnectionError: a crawl's bucket cannot be reached.
    """
    due: set[tuple[str, str | None]] = set()
    for key in [source] if source else lake.project.sources:
        due |= {(metric, key) for metric in due_pass(lake, key).metrics}
    for name, stage in lake.stages.items():
        for key in partitions(lake.project, stage.by):
            if source and stage.by == "source" and key != source:
                continue
            why = _why(lake, name, key) or _behind(lake, name, key, due)
            if why:
                due.add((name, key))
                yield Due(name, key, why)


def due_pass(lake: Lake, source: str) -> Estimate:
    """The estimate for the pending units of a source, as the last intake left them."""
    left = [rows for _, rows in iter_units(lake.store, layout.todo_path(source))]
    return _estimate(lake, left, lake.parts.rate(source))


def due_late(lake: Lake, metric: str, source: str | None) -> Estimate:
    """The estimate for a metric that runs late, over the images that stand chosen for it now."""
    rate = lake.parts.rate(late_folder(source), metric)
    chosen = "prefiltered" if metric in lake.project.kept_metrics else "members"
    known = lake.info(chosen, source) is not None
    return _estimate(lake, [late_pending(lake, metric, source)] if known else [], rate)


def _estimate(lake: Lake, left: list[pl.DataFrame], rate: Rate) -> Estimate:
    workers = worker_count(lake.project.profile.runner)
    price = worker_price(lake.project.profile.runner)
    return estimate_pass(left, rate.seconds, workers, price, rate.images)


def print_plan(lake: Lake, source: str | None = None) -> None:
    """Print, for a person, the passes and the stages that are due."""
    console = Console(width=max(Console().width, 100))
    stages = list(due_stages(lake, source))
    sources = [source] if source else sorted(lake.project.sources)
    passes = {name: due_pass(lake, name) for name in sources}
    for metric in lake.project.kept_metrics:
        passes |= {f"{name}: {metric}": due_late(lake, metric, name) for name in sources}
    for metric in lake.project.late_metrics:
        passes[f"all: {metric}"] = due_late(lake, metric, None)
    if any(found.images for found in passes.values()):
        console.print(_pass_table(lake, passes))
    else:
        console.print("no metric pass is due")
    behind = sorted({str(due.partition) for due in stages if due.stage in INTAKE})
    if behind:
        console.print(f"before intake of {', '.join(behind)}: it may find more images, or fewer")
    if not stages:
        console.print("every table is up to date")
        return
    table = Table("stage", "of", "why", title="tables that are due", title_justify="left")
    for due in stages:
        table.add_row(due.stage, due.partition or "", due.why)
    console.print(table)
    console.print("next: `dataproc run` makes all of it")


def _pass_table(lake: Lake, passes: dict[str, Estimate]) -> Table:
    budget = lake.project.profile.budget
    table = Table(title="metric passes that are due", title_justify="left")
    table.add_column("source")
    for name in ("images", "time", "cost"):
        table.add_column(name, justify="right")
    table.add_column("rate")
    table.add_column("images that lack a metric")
    table.add_column("budget")
    for source, found in passes.items():
        if not found.images:
            continue
        lacks = ", ".join(f"{metric} {count}" for metric, count in found.metrics.items())
        by_hand = source in lake.project.sources and found.worker_seconds > budget.pass_seconds
        within = f"over {budget.pass_seconds:g} s, by hand" if by_hand else "within"
        over = over_budget(found, budget.pass_hours, budget.pass_cost) or within
        rate = "measured" if found.measured else "YAML"
        cells = (str(found.images), duration(found.hours * HOUR), f"{found.cost:.2f}", rate)
        table.add_row(source, *cells, lacks, over)
    return table


def _why(lake: Lake, stage: str, key: str | None) -> str | None:
    """Why a stage is stale by itself; None where it is fresh."""
    if lake.fresh(stage, key):
        missing = late_missing(lake, stage, key)
        return f"{missing} images are to be tried again" if missing else None
    made = None if stage in ("release", "latents") else lake.made_from(stage, key)
    if made is None:
        return NEVER
    now = lake.inputs(stage, key)
    names = sorted({*now, *made.inputs})
    changed = [name for name in names if now.get(name) != made.inputs.get(name)]
    return f"changed: {', '.join(changed)}" if changed else CONFIGURED


def _behind(
    lake: Lake, stage: str, key: str | None, due: set[tuple[str, str | None]]
) -> str | None:
    """The inputs of a stage that are due; None where none is, or where it never changes."""
    if stage in ("release", "latents") or not lake.asked(stage, key):
        return None
    of_all = {name for name, _ in due}
    by_source = lake.stages[stage].by == "source"
    reads = [
        name
        for name in stage_inputs(lake.project, stage)
        if ((name, key) in due if by_source else name in of_all)
    ]
    return f"reads what is due: {', '.join(reads)}" if reads else None
