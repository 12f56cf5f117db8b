"""Making whatever is stale, in flow order, in this process and on the user's Dagster instance."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import dagster as dg

from dataproc_assets.defs.tables import late_missing
from dataproc_assets.storage import layout
from dataproc_assets.storage.flow import stage_inputs
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.stages import GATES, PUBLISHED, Partition, partitions
from dataproc_assets.storage.takedowns import takedown_state
from dataproc_assets.storage.units import read_units, unit_rows
from dataproc_assets.turn import tags

Say = Callable[[str], None]


CHECK_FAILED = "DagsterAssetCheckFailedError"  # how Dagster ends a step for a blocking check


class RunFailed(Exception):  # noqa: N818
    """A step failed; the message names it, the cause and where to look."""


@dataclass(frozen=True)
class Step:
    """Assets that are made in one Dagster run, for one partition."""

    assets: tuple[str, ...]
    partition: str | None

    def __str__(self) -> str:
        names = ", ".join(self.assets)
        return f"{self.partition}: {names}" if self.partition else names


class _UserMessages(logging.Handler):
    """Hands on what assets say; Dagster's own events are in the UI."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say a message that an asset logged."""
        about = getattr(record, "dagster_meta", {})
        if not about.get("dagster_event"):
            self._say(f"  {about.get('orig_message', record.getMessage())}")


def terminal(say: Say) -> dg.LoggerDefinition:
    """A logger that says what assets report, for a person at a terminal."""

    def build(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("dataproc", logging.INFO)
        logger.addHandler(_UserMessages(say))
        return logger

    return dg.LoggerDefinition(build)


def run_stale(
    definitions: dg.Definitions,
    lake: Lake,
    instance: dg.DagsterInstance,
    *,
    source: str | None = None,
    until: str | None = None,
    without: Collection[str] = (),
    say: Say,
) -> int:
    """Make what is stale and return the number of steps that were needed.

    Args:
        definitions: with a logger `console`, as `terminal` gives one.
        source: make the per-source stages of this source alone.
        until: the last asset to make.
        without: assets that are not made, however stale.
        say: takes a line for the person who waits.

    What is stale is read off the storage: a stage is fresh where its manifest names the present
    states of its inputs and the present configuration.

    Raises:
        RunFailed: a step failed. Where it was a check of `sanitized`, all but the releases of
            that recipe was made.
        ConnectionError: a crawl's bucket or queue cannot be reached.
    """
    _take_events(lake, source)
    job = definitions.resolve_implicit_global_asset_job_def()
    done, refused = 0, dict[str, str]()
    for step in _steps(lake, source, until, without):
        held = sorted(refused.keys() & _recipes(lake, step))
        if held:
            say(f"not making {step}: a check of {', '.join(held)} failed")
            continue
        say(f"making {step}")
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in step.assets],
            partition_key=step.partition,
            raise_on_error=False,
            run_config={"loggers": {"console": {}}},
            tags=tags(),
        )
        if not result.success:
            told = f"{step}: {_cause(result)}\nsee run {result.run_id} in the UI"
            if not _only_a_check(step, result):
                raise RunFailed(told)
            say(f"  {_cause(result)}: no release is made of {step.partition}")
            refused[step.partition or ""] = told
        done += 1
    if refused:
        raise RunFailed("\n".join(refused.values()))
    return done


def _steps(
    lake: Lake, source: str | None, until: str | None, without: Collection[str]
) -> Iterator[Step]:
    """The steps that are due; all over again where one of them entered a takedown."""
    known: dict[str, str] | None = None
    while known != (known := takedown_state(lake.store)):
        for step in stale_steps(lake, source, until):
            if assets := tuple(name for name in step.assets if name not in without):
                yield Step(assets, step.partition)


def _recipes(lake: Lake, step: Step) -> set[str]:
    """The recipes that a step releases."""
    if step.assets[0] not in PUBLISHED:
        return set()
    return {*lake.project.releases[step.partition or ""].recipes}


def _only_a_check(step: Step, result: dg.ExecuteInProcessResult) -> bool:
    """Whether what failed is a check of a stage that only releases wait for."""
    failures = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
    checks = [error is not None and error.cls_name == CHECK_FAILED for error in failures]
    return set(step.assets) <= set(GATES) and bool(checks) and all(checks)


def _take_events(lake: Lake, source: str | None) -> None:
    """Take what waits in the queues of the crawls, as the sensors do."""
    for name in lake.project.profile.crawl.queues:
        while source in (None, name) and lake.crawls.take_events(name).messages:
            continue


def stale_steps(lake: Lake, source: str | None = None, until: str | None = None) -> Iterator[Step]:
    """The steps that are due, each decided only after those before it were made."""
    wanted = _wanted(lake, until)
    per_source = [name for name in wanted if _by(lake, name) == "source"]
    for name in [source] if source else sorted(lake.project.sources):
        yield from _source_steps(lake, name, per_source)
    if any(not lake.state(per_source[-1], name) for name in lake.project.sources):
        return
    for name in wanted:
        for key in partitions(lake.project, _by(lake, name)) if name not in per_source else ():
            if _due(lake, name, key):
                yield Step((name,), key)


def flow(lake: Lake) -> list[str]:
    """Every asset in flow order, the metrics of the pass after `todo`."""
    names = list(lake.stages)
    cut = names.index("todo") + 1
    return [*names[:cut], *lake.project.pass_metrics, *names[cut:]]


def _wanted(lake: Lake, until: str | None) -> list[str]:
    names = flow(lake)
    return names[: names.index(until) + 1] if until else names


def _by(lake: Lake, asset: str) -> Partition:
    return "source" if asset in lake.project.pass_metrics else lake.stages[asset].by


def _source_steps(lake: Lake, source: str, names: list[str]) -> Iterator[Step]:
    """Intake, the pass over what is pending, then `todo` again and the stages after it."""
    cut = names.index("todo") + 1 if "todo" in names else len(names)
    yield from _chain(lake, names[:cut], source)
    passes = tuple(name for name in names if name in lake.project.pass_metrics)
    if _lacking(lake, source, passes):
        yield Step(passes, source)
    yield from _chain(lake, [name for name in names if name not in passes], source)


def _lacking(lake: Lake, source: str, metrics: tuple[str, ...]) -> bool:
    """Whether an image of the pending units lacks one of the metrics."""
    left = unit_rows(read_units(lake.store, layout.todo_path(source)))
    return left is not None and bool(left["metrics"].explode().is_in(metrics).any())


def _chain(lake: Lake, names: list[str], source: str) -> Iterator[Step]:
    """One step for the stale stages of a chain and for those that read them."""
    due: list[str] = []
    for name in names:
        reads = stage_inputs(lake.project, name)
        if any(other in due for other in reads) or _due(lake, name, source):
            due.append(name)
    if due:
        yield Step(tuple(due), source)


def _due(lake: Lake, name: str, key: str | None) -> bool:
    """Whether a stage is stale, or a metric that runs late has rows to try again."""
    return not lake.fresh(name, key) or late_missing(lake, name, key) > 0


def _cause(result: dg.ExecuteInProcessResult) -> str:
    """The innermost error of a failed run, in one line."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error and error.cause:
                error = error.cause
            if error:
                return error.message.strip()
    return "a blocking check failed"
