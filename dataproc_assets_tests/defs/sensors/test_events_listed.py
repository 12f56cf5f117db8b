"""What events do not tell, which the next complete listing does."""

from datetime import UTC, datetime, timedelta

from dataproc_assets_tests.defs.results import metadata
from dataproc_assets_tests.defs.sensors.follow import FOLDER, Follow, follow
from dataproc_assets_tests.defs.sensors.ticks import reason, request

__all__ = ["follow"]  # a fixture


def test_a_removal_removes_nothing_until_all_is_listed(follow: Follow):
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=1.0))
    follow.drop(100)
    follow.drop(101)
    request(follow.tick())
    follow.intake()
    follow.events.s3.delete_object(Bucket=follow.events.bucket, Key=f"{FOLDER}/101_p0.png")
    assert "all known" in reason(follow.tick())
    follow.drop(103)
    request(follow.tick())
    follow.intake()
    assert sorted(follow.versions()) == [f"pixiv/{n}_p0" for n in (100, 101, 103)]

    in_an_hour = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    first = request(follow.tick(in_an_hour, keep=False))
    assert request(follow.tick(in_an_hour)).run_key == first.run_key
    assert metadata(follow.intake(), "inventory")["removed"] == 1
    assert sorted(follow.versions()) == ["pixiv/100_p0", "pixiv/103_p0"]
    assert "all known" in reason(follow.tick(in_an_hour))


def test_a_removal_that_was_held_back_is_applied_once_the_limit_is_raised(follow: Follow):
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=0.0))
    follow.drop(100)
    follow.drop(101)
    follow.tick()
    follow.intake()
    follow.events.s3.delete_object(Bucket=follow.events.bucket, Key=f"{FOLDER}/101_p0.png")
    request(follow.tick(datetime.now(UTC) + timedelta(hours=25)))
    assert metadata(follow.intake(), "inventory")["removals_held_back"]
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=1.0))
    follow.intake()
    assert sorted(follow.versions()) == ["pixiv/100_p0"]


def test_a_lost_file_of_events_removes_nothing(follow: Follow):
    """What is known of an image may go before a complete listing has seen it: it stays."""
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=1.0))
    follow.drop(100)
    follow.tick()
    follow.intake()
    follow.drop(101)
    follow.tick()
    follow.intake()
    for path in follow.lake.store.list("events")["path"]:
        follow.lake.store.delete(path)
    request(follow.tick())
    follow.intake()
    assert sorted(follow.versions()) == ["pixiv/100_p0", "pixiv/101_p0"]
    request(follow.tick(datetime.now(UTC) + timedelta(hours=25)))
    follow.intake()
    assert sorted(follow.versions()) == ["pixiv/100_p0", "pixiv/101_p0"]


def test_what_no_event_told_is_found_by_the_next_complete_listing(follow: Follow):
    follow.drop(100)
    follow.tick()
    follow.intake()
    follow.drop(101)
    follow.events.sqs.purge_queue(QueueUrl=follow.events.url)
    assert "all known" in reason(follow.tick())
    tomorrow = datetime.now(UTC) + timedelta(hours=24, minutes=1)
    request(follow.tick(tomorrow))
    assert metadata(follow.intake(), "inventory")["added"] == 1
    assert "all known" in reason(follow.tick())


def test_a_source_that_is_listed_for_a_while_is_listed_when_it_is_followed_again(follow: Follow):
    follow.drop(100)
    follow.tick()
    follow.intake()
    assert "all known" in reason(follow.tick())
    queues = follow.lake.project.profile.crawl.model_dump(mode="json")["queues"]
    follow.world.change("profiles/local.yaml", lambda conf: conf["crawl"].pop("queues"))
    follow.drop(101)
    follow.intake()
    assert len(follow.versions()) == 2
    follow.events.sqs.purge_queue(QueueUrl=follow.events.url)
    follow.world.change("profiles/local.yaml", lambda conf: conf["crawl"].update(queues=queues))
    request(follow.tick())
    follow.intake()
    assert len(follow.versions()) == 2
