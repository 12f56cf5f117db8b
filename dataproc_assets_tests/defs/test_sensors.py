import dagster as dg

from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.sqs import SETTINGS

INTAKE = ("inventory", "records", "todo")


def test_the_sensors_run_under_dagster(crawled: World):
    said = {
        "pending_passes": "scored",
        "unencoded_releases": "has its latents",
        "pixiv_crawl": "written to less than",  # a moment ago
    }
    for sensor in crawled.definitions.sensors:
        if sensor.name in said:
            with dg.build_sensor_context(
                instance=crawled.instance, definitions=crawled.definitions
            ) as context:
                tick = sensor.evaluate_tick(context)
            assert said.pop(sensor.name) in tick.skip_message and tick.cursor
    assert not said


def test_a_crawl_is_looked_at_in_the_way_that_its_profile_names(crawled: World):
    def edit(profile):
        profile["crawl"] |= {
            "root": "s3://crawls",
            "queues": {"danbooru": {**SETTINGS, "url": URL}},
        }
        profile["sensors"] |= {"interval_seconds": 20, "listing_interval_seconds": 70}

    crawled.change("profiles/local.yaml", edit)
    sensors = {sensor.name: sensor for sensor in crawled.definitions.sensors}
    every = {name: sensor.minimum_interval_seconds for name, sensor in sensors.items()}
    assert every == {
        "pixiv_crawl": 70,
        "danbooru_events": 20,
        "pending_passes": 20,
        "unencoded_releases": 20,
        "automation": 20,
    }


URL = "http://127.0.0.1:9/123456789012/crawls"
