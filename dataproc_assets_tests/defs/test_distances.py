import polars as pl

from dataproc_assets.defs.distances import keep_distances, known_distances
from dataproc_assets_tests.defs.world import World

DETAILS = pl.DataFrame(
    {"image_key": ["x/1", "x/2", "x/3"], "detail": [[1, 2], [3, 4], None]},
    schema={"image_key": pl.String, "detail": pl.Array(pl.UInt8, 2)},
)
EDGES = pl.DataFrame({"a": ["x/1", "x/1"], "b": ["x/2", "x/3"], "detail_distance": [50, None]})


def test_a_distance_is_known_while_both_thumbnails_are_the_same(world: World):
    lake = world.lake
    assert known_distances(lake, "x", DETAILS).is_empty()
    keep_distances(lake, "x", EDGES, DETAILS)
    assert known_distances(lake, "x", DETAILS).rows() == [("x/1", "x/2", 50)]
    changed = pl.Series([[1, 2], [3, 5], None], dtype=DETAILS["detail"].dtype)
    assert known_distances(lake, "x", DETAILS.with_columns(detail=changed)).is_empty()
    assert known_distances(lake, "x", DETAILS[:1]).is_empty()
    assert known_distances(lake, "y", DETAILS).is_empty()


def test_another_rule_of_distance_knows_none(world: World):
    keep_distances(world.lake, "x", EDGES, DETAILS)
    world.change("dedup.yaml", lambda conf: conf["detail"].update(floor=6))
    assert known_distances(world.lake, "x", DETAILS).is_empty()
