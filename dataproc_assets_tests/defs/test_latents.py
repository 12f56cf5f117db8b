import pytest

from dataproc_assets_tests.defs.results import checks, metadata
from dataproc_assets_tests.defs.test_release import LATENTS
from dataproc_assets_tests.defs.world import World


@pytest.mark.slow
def test_latents_are_made_and_their_buckets_shown(world: World):
    world.change("releases/demo.yaml", lambda conf: conf.update(latents=LATENTS))
    result = world.make("latents", partition="demo")
    assert result.success and all(checks(result).values())
    told = metadata(result, "latents")
    buckets = told["counts"]["buckets"]
    assert sum(buckets.values()) == told["dagster/row_count"] == 3
    assert told["counts"]["small_buckets"] == sorted(buckets)
    rows = told["buckets"].splitlines()[2:]
    assert len(rows) == len(buckets) and all(row.endswith("| small |") for row in rows)
    again = world.make("latents", partition="demo")
    assert metadata(again, "latents")["encoded_now"] == 0
