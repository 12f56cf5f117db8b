from dataproc_assets.defs.sensors.passes import pending_passes, unencoded_releases
from dataproc_assets_tests.defs.posts import pixiv_record
from dataproc_assets_tests.defs.sensors.ticks import reason, request
from dataproc_assets_tests.defs.test_release import LATENTS
from dataproc_assets_tests.defs.world import World

INTAKE = ("inventory", "records", "todo")
SCORED = "all that is eligible is scored"


def requests(outcome):
    return list(outcome.run_requests)


def test_nothing_pending_starts_no_pass(finished: World):
    assert reason(pending_passes(finished.lake)) == SCORED


def test_before_any_intake_there_is_nothing_to_pass(crawled: World):
    assert reason(pending_passes(crawled.lake)) == SCORED


def test_what_is_pending_is_asked_for_by_source_with_the_same_key_each_time(crawled: World):
    for source in ("pixiv", "danbooru"):
        crawled.make(*INTAKE, partition=source)
    tick = pending_passes(crawled.lake)
    first, second = requests(tick), requests(pending_passes(crawled.lake))
    assert [asked.partition_key for asked in first] == ["danbooru", "pixiv"]
    assert [asked.run_key for asked in first] == [asked.run_key for asked in second]
    metrics = sorted(key.to_user_string() for key in first[0].asset_selection)
    assert metrics == sorted(crawled.lake.project.pass_metrics)

    crawled.add_pixiv(105, pixiv_record(105))
    crawled.make(*INTAKE, partition="pixiv")
    third = pending_passes(crawled.lake, tick.cursor)
    assert request(third).partition_key == "pixiv"
    assert request(third).run_key != first[1].run_key


def test_what_was_asked_for_is_asked_for_once(crawled: World):
    crawled.make(*INTAKE, partition="pixiv")
    first = pending_passes(crawled.lake)
    again = pending_passes(crawled.lake, first.cursor)
    assert reason(again) == "pixiv: the pass was asked for already"
    failed = pending_passes(crawled.lake, again.cursor, lambda key: "7")
    assert reason(failed) == (
        "pixiv: the pass was asked for and failed: look at run 7, and re-execute it"
    )


def test_units_that_come_back_after_they_were_done_are_asked_for_again(crawled: World):
    crawled.make(*INTAKE, partition="pixiv")
    first = pending_passes(crawled.lake)
    crawled.score("pixiv")
    crawled.make("todo", partition="pixiv")
    second = pending_passes(crawled.lake, first.cursor)
    assert reason(second) == SCORED
    for path in crawled.lake.store.list("units/metrics")["path"]:
        crawled.lake.store.delete(path)
    crawled.make("todo", partition="pixiv")
    third = pending_passes(crawled.lake, second.cursor)
    assert request(third).run_key != request(first).run_key


def test_a_pass_over_the_budget_waits_for_a_person(crawled: World):
    crawled.make(*INTAKE, partition="pixiv")
    each = sum(crawled.lake.parts.rate("pixiv").seconds.values())
    budget = {"pass_seconds": 3 * each - 0.01}
    crawled.change("profiles/local.yaml", lambda conf: conf["budget"].update(budget))
    over = pending_passes(crawled.lake)
    assert reason(over) == f"pixiv: about {3 * each:.0f} s is over the budget; start it by hand"
    assert reason(pending_passes(crawled.lake, over.cursor)) == reason(over)
    exactly = {"pass_seconds": 3 * each + 0.01}
    crawled.change("profiles/local.yaml", lambda conf: conf["budget"].update(exactly))
    assert request(pending_passes(crawled.lake, over.cursor)).partition_key == "pixiv"


def test_units_are_weighed_once(crawled: World, monkeypatch):
    crawled.make(*INTAKE, partition="pixiv")
    first = pending_passes(crawled.lake)
    for path in (crawled.home / "store" / "units" / "todo" / "pixiv").iterdir():
        path.write_bytes(b"not looked at again")
    assert "asked for already" in reason(pending_passes(crawled.lake, first.cursor))


def test_a_release_without_latents_is_encoded_once_it_is_published(world: World):
    assert reason(unencoded_releases(world.lake)) == "every published release has its latents"
    world.change("releases/demo.yaml", lambda conf: conf.update(latents=LATENTS))
    first = unencoded_releases(world.lake)
    asked = request(first)
    assert asked.partition_key == "demo" and asked.run_key.startswith("demo-")
    assert request(unencoded_releases(world.lake)).run_key == asked.run_key
    again = unencoded_releases(world.lake, first.cursor)
    assert reason(again) == "demo: encoding was asked for already"

    world.lake.store.put("latents/demo/manifest.json", b'{"files": {}}')
    done = unencoded_releases(world.lake, first.cursor)
    assert "has its latents" in reason(done)
    world.lake.store.delete("latents/demo/manifest.json")
    lost = unencoded_releases(world.lake, done.cursor)
    assert request(lost).run_key != asked.run_key
    world.lake.store.delete("releases/demo/manifest.json")
    assert "has its latents" in reason(unencoded_releases(world.lake, lost.cursor))
