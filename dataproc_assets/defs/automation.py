"""When a cheap asset is remade by itself: it is stale, and nothing that it reads is.

Read off the storage, as `dataproc run` does, and not off Dagster's events: an update that arrives
while the asset is being made is an event that nobody waits for any more, and still makes it stale.
"""

import json
from datetime import datetime
from weakref import WeakKeyDictionary

import dagster as dg
from dagster._core.asset_graph_view.entity_subset import EntitySubset

from dataproc_assets.config.project import Project
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.flow import stage_inputs
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.snapshot import Snapshot
from dataproc_assets.storage.stages import GATES, PUBLISHED, partitions

Result = dg.AutomationResult[dg.AssetKey]
Context = dg.AutomationContext[dg.AssetKey]


def automatic(lake: Lake, stage: str) -> dg.AutomationCondition[dg.AssetKey]:
    """When a stage of a lake, automatic from now on, is requested.

    It goes into one run with what it reads where Dagster can do that, else it waits for it.
    """
    states = _STATES.setdefault(lake, States(lake.project))
    states.stages.add(stage)
    condition = dg.AutomationCondition
    unsettled = condition.any_deps_match(Awaited(states) & ~condition.will_be_requested())
    busy = condition.in_progress() | condition.any_deps_in_progress()
    # a failed check of a gate holds back releases, which a person starts
    checked = condition.all_deps_blocking_checks_passed().ignore(dg.AssetSelection.assets(*GATES))
    return Pending(states) & Untried(states) & ~unsettled & ~busy & checked


class Pending(dg.AutomationCondition[dg.AssetKey]):
    """What was made of something else than there is now, or reads what is pending itself."""

    def __init__(self, states: "States") -> None:
        self._states = states

    @property
    def description(self) -> str:
        """Shown in the UI."""
        return "Stale by the storage, or downstream of what is"

    @property
    def requires_cursor(self) -> bool:
        """Nothing is kept from tick to tick."""
        return False

    def evaluate(self, context: Context) -> Result:
        """The partitions that are pending."""
        return Result(context, _subset(context, set(self._states.of(context))))


class Awaited(Pending):
    """What is pending and was not refused by a check that only releases wait for."""

    @property
    def description(self) -> str:
        """Shown in the UI."""
        return "Stale by the storage, and no gate whose check failed"

    def evaluate(self, context: Context) -> Result:
        """The partitions that are awaited."""
        refused = self._states.refused(context)
        return Result(context, _subset(context, set(self._states.of(context)) - refused))


class Untried(dg.AutomationCondition[dg.AssetKey]):
    """What was not yet asked for with the inputs and the configuration that there are now.

    A step that fails would otherwise be asked for in every tick. The cursor holds, by partition,
    the digest of what was to be read at the last tick and at the last request.
    """

    def __init__(self, states: "States") -> None:
        self._states = states

    @property
    def description(self) -> str:
        """Shown in the UI."""
        return "Not requested yet with the present inputs and configuration"

    def evaluate(self, context: Context) -> Result:
        """The partitions whose inputs differ from those of their last request."""
        kept = json.loads(context.cursor) if context.cursor else {"seen": {}, "tried": {}}
        asked = context.get_previous_requested_subset(context.key)
        tried, seen = kept["tried"], self._states.of(context)
        for key in _keys(asked) if asked is not None else set():
            tried[key] = kept["seen"].get(key)
        untried = {key for key, digest in seen.items() if tried.get(key) != digest}
        cursor = json.dumps({"seen": seen, "tried": tried}, sort_keys=True)
        return Result(context, _subset(context, untried), cursor=cursor)


class States:
    """What is pending of the automatic stages, read off the storage once a tick."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.stages: set[str] = set()
        self._at: datetime | None = None
        self._lake = Snapshot(project)
        self._pending: dict[str, dict[str, str]] = {}

    def of(self, context: Context) -> dict[str, str]:
        """An asset's pending partitions, each with a digest of what it would be made of."""
        if context.evaluation_time != self._at:
            self._lake = Snapshot(self._project)
            self._pending = _pending(self._lake, self.stages)
            self._at = context.evaluation_time
        return self._pending.get(context.key.to_user_string(), {})

    def refused(self, context: Context) -> set[str]:
        """Of an asset's pending partitions those that were made and failed a check of a gate."""
        name = context.key.to_user_string()
        keys = self.of(context) if name in GATES else {}
        return {key for key in keys if _is_refused(self._lake, name, key or None)}


_STATES: WeakKeyDictionary[Lake, States] = WeakKeyDictionary()  # one reading serves all assets


def _pending(lake: Snapshot, stages: set[str]) -> dict[str, dict[str, str]]:
    """The pending partitions by stage; "" stands for that of a stage without partitions.

    What lacks an input altogether waits. What the pass or a release has not made yet is read as
    nothing and not awaited.
    """
    pending: dict[str, dict[str, str]] = {}
    awaited = {*lake.stages} - {*PUBLISHED, *lake.project.pass_metrics}
    for name in lake.stages:
        if name not in stages:
            continue
        needed = awaited.intersection(stage_inputs(lake.project, name))
        for key in partitions(lake.project, lake.stages[name].by):
            inputs = lake.inputs(name, key)
            above = [label.partition("/")[::2] for label in inputs]
            awaits = [(n, p) for n, p in above if not _is_refused(lake, n, p or None)]
            if any(not inputs[label] for label in inputs if label.partition("/")[0] in needed):
                continue
            if not lake.fresh(name, key) or any(p in pending.get(n, {}) for n, p in awaits):
                made_of = [lake.code_version(name, key), sorted(inputs.items())]
                pending.setdefault(name, {})[key or ""] = json_digest(made_of)
    return pending


def _is_refused(lake: Lake, stage: str, key: str | None) -> bool:
    """Whether a gate's table was made and then distrusted, as a blocking check does."""
    info = lake.info(stage, key) if stage in GATES else None
    return info is not None and not info.inputs


def _keys(subset: EntitySubset[dg.AssetKey]) -> set[str]:
    if subset.is_partitioned:
        return {*subset.expensively_compute_partition_keys()}
    return set() if subset.is_empty else {""}


def _subset(context: Context, keys: set[str]) -> EntitySubset[dg.AssetKey]:
    """Of the candidates those with one of these partition keys."""
    if context.candidate_subset.is_partitioned:
        return context.candidate_subset.compute_intersection_with_partition_keys(keys)
    return context.candidate_subset if keys else context.get_empty_subset()
