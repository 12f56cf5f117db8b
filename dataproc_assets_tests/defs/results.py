"""What a run of a test's world has said of its assets and checks."""

from typing import Any

import dagster as dg


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The values of the metadata that an asset was materialized with."""
    return {name: item.value for name, item in _materialization(result, asset).metadata.items()}


def data_version(result: dg.ExecuteInProcessResult, asset: str) -> str:
    """The data version that an asset was materialized with."""
    return (_materialization(result, asset).tags or {})["dagster/data_version"]


def reasons(table: dg.TableMetadataValue) -> dict[str, int]:
    """The rows of a metadata table of counts, by the name in its first column."""
    rows = (list(record.data.values()) for record in table.records)
    return {str(name): int(count) for name, count in rows}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Whether each check of a run passed, by `asset:check`."""
    return {
        f"{check.asset_key.to_user_string()}:{check.check_name}": check.passed
        for check in result.get_asset_check_evaluations()
    }


def cause(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """Class and message of the innermost error of a failed run."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error and error.cause:
                error = error.cause
            if error:
                return error.cls_name or "", error.message
    raise AssertionError("no step failed")


def _materialization(result: dg.ExecuteInProcessResult, asset: str) -> dg.AssetMaterialization:
    events = result.get_asset_materialization_events()
    (found,) = [event for event in events if event.asset_key == dg.AssetKey(asset)]
    return found.step_materialization_data.materialization
