import polars as pl

from dataproc_assets.defs import flags as module
from dataproc_assets.defs.flags import flags, flags_state
from dataproc_assets.storage.ledger import append_ledger
from dataproc_assets_tests.defs.asking import tamper
from dataproc_assets_tests.defs.posts import AI, NEVER, OPT_OUT, TWIN
from dataproc_assets_tests.defs.world import World


def test_flags_are_of_every_known_row(finished: World):
    found = _flags(finished)
    assert len(found) == 11
    assert {key: value for key, value in found.items() if value} == {
        AI: ["ai"],
        NEVER: ["never_tag"],
        OPT_OUT: ["opt_out"],
        "danbooru/6": ["banned_word"],
    }


def test_the_quarantine_holds_a_whole_component(world: World):
    held = pl.DataFrame({"image_key": [TWIN[1]], "rule": ["never"]})
    append_ledger(world.lake.store, "quarantine", held)
    found = _flags(world)
    assert found[TWIN[0]] == found[TWIN[1]] == ["never_tag"]
    assert found["danbooru/2"] == []


def test_the_flags_are_the_same_in_any_number_of_buckets_and_rows_at_once(
    world: World, monkeypatch
):
    whole = flags(world.lake).collect()
    world.change("profiles/local.yaml", lambda conf: conf["storage"].update(table_buckets=4))
    monkeypatch.setattr("dataproc_assets.storage.spill.PART_ROWS", 2)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 2)
    for source in world.lake.project.sources:
        tamper(world.lake, "augmented", source, lambda rows: rows)
    assert flags(world.lake).collect().equals(whole)  # members and captions are in one bucket yet
    tamper(world.lake, "members", None, lambda rows: rows, stage="dedup_cross")
    tamper(world.lake, "caption", None, lambda rows: rows)
    assert flags(world.lake).collect().equals(whole)


def test_what_a_caption_says_flags_the_whole_component(world: World):
    said = pl.when(pl.col("image_key") == TWIN[0]).then(pl.lit("a loli")).otherwise("caption_text")
    tamper(world.lake, "caption", None, lambda rows: rows.with_columns(caption_text=said))
    found = _flags(world)
    assert found[TWIN[0]] == found[TWIN[1]] == ["never_tag"]


def test_a_change_of_any_table_ledger_or_rule_is_seen(world: World):
    states = [flags_state(world.lake)]
    tamper(world.lake, "members", None, lambda rows: rows.head(-1), stage="dedup_cross")
    states.append(flags_state(world.lake))
    tamper(world.lake, "augmented", "pixiv", lambda rows: rows.head(-1))
    states.append(flags_state(world.lake))
    tamper(world.lake, "caption", None, lambda rows: rows.head(-1))
    states.append(flags_state(world.lake))
    held = pl.DataFrame({"image_key": [TWIN[1]], "rule": ["never"]})
    append_ledger(world.lake.store, "quarantine", held)
    states.append(flags_state(world.lake))
    world.change("safety.yaml", lambda conf: conf["never_tags"].append("gore"))
    states.append(flags_state(world.lake))
    assert len(set(states)) == len(states)
    assert len(_flags(world)) == 10


def _flags(world: World) -> dict[str, list[str]]:
    return dict(flags(world.lake).select("image_key", "flags").collect().iter_rows())
