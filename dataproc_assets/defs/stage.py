"""A stage of the registry as a Dagster asset: partitions, dependencies, versions, checks."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dataproc_assets.config.project import Project
from dataproc_assets.defs import automation
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.flow import stage_inputs
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.stages import Partition, Stage, partitions

# Checks of partitions are marked preview, which is why Dagster is pinned.
warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*partitions_def.*")

Body = Callable[..., dg.MaterializeResult]


@dataclass(frozen=True)
class Check:
    """A check that runs with its asset, on what the asset has just written.

    `run` takes the lake and the partition and says whether it passed, with metadata.
    """

    name: str
    description: str
    run: Callable[[Lake, str | None], tuple[bool, dict[str, Any]]]
    blocking: bool = False


def partitions_def(project: Project, by: Partition) -> dg.StaticPartitionsDefinition | None:
    """The static partitions of a stage: one a file of its folder in conf/."""
    keys = [key for key in partitions(project, by) if key]
    return dg.StaticPartitionsDefinition(keys) if by else None


def code_version(lake: Lake, stage: str) -> str:
    """An asset's code version: those of all its partitions in one digest."""
    keys = partitions(lake.project, lake.stages[stage].by)
    return json_digest([lake.code_version(stage, key) for key in keys])[:16]


def stage_asset(
    lake: Lake,
    body: Body,
    *,
    checks: tuple[Check, ...] = (),
    automatic: bool = False,
    pool: str | None = None,
    name: str | None = None,
) -> dg.AssetsDefinition:
    """The asset of a stage, by default of the one that `body` is named after.

    The body writes the stage and returns what to show; the checks then run on what it wrote.
    """
    stage = lake.stages[name or getattr(body, "__name__", "")]
    parts = partitions_def(lake.project, stage.by)

    def compute(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        partition = context.partition_key if context.has_partition_key else None
        result = body(context, lake, partition) if stage.by else body(context, lake)
        results = outcomes(checks, stage.name, lake, partition)
        if any(not one.passed and one.severity == dg.AssetCheckSeverity.ERROR for one in results):
            lake.distrust(stage.name, partition)  # or the next run would go on past the check
        return result._replace(check_results=results)

    compute.__name__ = stage.name
    return dg.asset(
        compute,
        name=stage.name,
        deps=[_dep(lake, stage, name) for name in stage_inputs(lake.project, stage.name)],
        group_name=stage.group,
        description=stage.description,
        kinds=set(stage.kinds),
        partitions_def=parts,
        code_version=code_version(lake, stage.name),
        automation_condition=automation.automatic(lake, stage.name) if automatic else None,
        check_specs=check_specs(stage.name, checks, parts),
        pool=pool,
    )


def _dep(lake: Lake, stage: Stage, name: str) -> dg.AssetDep:
    """What a stage reads of another: its own partition, or all where they are of another kind."""
    by = "source" if name in lake.project.pass_metrics else lake.stages[name].by
    if stage.by is None or by in (None, stage.by):
        return dg.AssetDep(name)
    return dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())


def check_specs(
    asset: str, checks: tuple[Check, ...], parts: dg.PartitionsDefinition | None
) -> list[dg.AssetCheckSpec]:
    """The specs of an asset's checks."""
    return [
        dg.AssetCheckSpec(
            check.name,
            asset=asset,
            description=check.description,
            blocking=check.blocking,
            partitions_def=parts,
        )
        for check in checks
    ]


def outcomes(
    checks: tuple[Check, ...], asset: str, lake: Lake, partition: str | None
) -> list[dg.AssetCheckResult]:
    """Run an asset's checks."""
    return [_outcome(check, asset, lake, partition) for check in checks]


def _outcome(check: Check, asset: str, lake: Lake, partition: str | None) -> dg.AssetCheckResult:
    passed, metadata = check.run(lake, partition)
    severity = dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key=asset, check_name=check.name, passed=passed, metadata=metadata, severity=severity
    )
