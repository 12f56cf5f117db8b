from dataproc_assets.defs.once import once
from dataproc_assets_tests.defs.world import World


def test_what_is_found_is_kept_for_its_state_and_its_lake(finished: World, world: World):
    calls = []

    def find(lake, state):
        return once(lake, "test", state, lambda: calls.append(state) or len(calls))

    assert [find(world.lake, "a"), find(world.lake, "a"), find(world.lake, "b")] == [1, 1, 2]
    assert find(world.lake, "a") == 3  # that of the state before was let go
    assert find(finished.lake, "a") == 4 and calls == ["a", "b", "a", "a"]
