from dataproc_assets.funnel import FUNNEL_SCHEMA, funnel
from dataproc_assets_tests.defs.world import World


def test_rows_of_each_source_at_each_stage(finished: World):
    counts = funnel(finished.lake)
    assert counts.schema == FUNNEL_SCHEMA
    found = {(stage, source): (rows, kept) for stage, source, rows, kept in counts.iter_rows()}
    assert found == {
        ("images", "danbooru"): (6, 6),
        ("records", "danbooru"): (6, 6),
        ("eligible", "danbooru"): (6, 6),
        ("scored", "danbooru"): (6, 6),
        ("prefiltered", "danbooru"): (6, 6),
        ("images", "pixiv"): (5, 4),
        ("records", "pixiv"): (5, 5),
        ("eligible", "pixiv"): (5, 3),
        ("scored", "pixiv"): (3, 3),
        ("prefiltered", "pixiv"): (3, 2),
        ("dedup", "danbooru"): (6, 5),
        ("dedup", "pixiv"): (2, 2),
        ("sanitized animagine4", "danbooru"): (5, 1),
        ("sanitized animagine4", "pixiv"): (2, 2),
        ("release demo", "danbooru"): (5, 1),
        ("release demo", "pixiv"): (2, 2),
    }


def test_what_a_stage_keeps_is_what_the_next_one_is_given(finished: World):
    """Within a source: from the scored on, no row comes from nowhere."""
    for source in finished.lake.project.sources:
        rows = funnel(finished.lake).filter(source=source).to_dicts()
        by_stage = {row["stage"]: row for row in rows}
        assert by_stage["scored"]["rows"] == by_stage["eligible"]["kept"]
        assert by_stage["dedup"]["rows"] == by_stage["prefiltered"]["kept"]
        assert by_stage["sanitized animagine4"]["rows"] == by_stage["dedup"]["kept"]


def test_an_unpublished_release_has_no_rows(world: World):
    world.lake.store.delete("releases/demo/manifest.json")
    assert "release demo" not in funnel(world.lake)["stage"].to_list()
