"""The asset graph against its snapshot, `graph.txt`. After a change that is meant, write it anew:

python -m dataproc_assets_tests.test_definitions
"""

import difflib
from pathlib import Path

import dagster as dg
import pytest

from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.definitions import build
from dataproc_assets.run import flow
from dataproc_assets.storage.lake import Lake

GRAPH = Path(__file__).parent / "graph.txt"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """The shipped configuration's."""
    return build(load_project(CONF, "local"))


def test_the_graph_is_that_of_the_snapshot(definitions: dg.Definitions):
    known, found = GRAPH.read_text(encoding="utf-8"), draw(definitions)
    change = difflib.unified_diff(known.splitlines(), found.splitlines(), "graph.txt", "now")
    assert known == found, "\n".join([*change, __doc__ or ""])


def test_every_asset_says_what_it_is_and_what_made_it(definitions: dg.Definitions):
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    assert set(specs) == set(flow(Lake(load_project(CONF, "local"))))
    for name, spec in specs.items():
        assert spec.description and len(spec.description) > 20, name
        assert spec.kinds and spec.code_version, name
        assert spec.group_name != "default", name
    assert len({spec.description for spec in specs.values()}) == len(specs)


def test_every_check_says_what_it_means(definitions: dg.Definitions):
    specs = _checks(definitions)
    assert len({spec.description for spec in specs}) == len(specs)
    assert all(spec.description and spec.description.endswith(".") for spec in specs)


def test_every_sensor_says_what_it_starts(definitions: dg.Definitions):
    sensors = definitions.sensors or []
    assert len({sensor.name for sensor in sensors}) == len(list(sensors))
    assert all(sensor.description for sensor in sensors)


def draw(definitions: dg.Definitions) -> str:
    """The graph in lines, in flow order."""
    project = load_project(CONF, "local")
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    checks = _checks(definitions)
    lines = []
    for name in flow(Lake(project)):
        spec = specs[name]
        keys = spec.partitions_def.get_partition_keys() if spec.partitions_def else ["all"]
        automatic = ", automatic" if spec.automation_condition else ""
        lines.append(f"{name} ({spec.group_name}: {', '.join(keys)}{automatic})")
        if spec.deps:
            deps = sorted(dep.asset_key.to_user_string() for dep in spec.deps)
            lines.append(f"    from {', '.join(deps)}")
        for check in sorted(checks, key=lambda check: check.name):
            if check.asset_key == spec.key:
                blocks = " (blocks)" if check.blocking else ""
                lines.append(f"    check {check.name}{blocks}")
    for sensor in sorted(definitions.sensors or [], key=lambda sensor: sensor.name):
        lines.append(f"sensor {sensor.name} ({sensor.default_status.value.lower()})")
    return "\n".join(lines) + "\n"


def _checks(definitions: dg.Definitions) -> list[dg.AssetCheckSpec]:
    assets = definitions.resolve_asset_graph().assets_defs
    return [check for asset in assets for check in asset.check_specs]


if __name__ == "__main__":
    GRAPH.write_text(draw(build(load_project(CONF, "local"))), encoding="utf-8")
