"""The demo run again: after nothing, after kills, in another folder, after changes."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dataproc_assets.defs.sensors.crawl import crawl_changes
from dataproc_assets.defs.sensors.passes import pending_passes, unencoded_releases
from dataproc_assets.run import stale_steps
from dataproc_assets.storage.lake import Lake
from dataproc_assets_tests.demo import ROOT, SAMPLE, Demo
from dataproc_assets_tests.s3 import s3_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]
LATER = datetime.now(UTC) + timedelta(days=1)
KILLS = [
    "danbooru: .* of .* images",
    "making gelbooru: todo, metrics_merged",
    "making dedup_cross",
    "making animagine4: prompts",
    "making demo: latents",
]


@pytest.fixture(scope="module")
def copy(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The finished demo in a folder of its own, which the tests change one after the other."""
    home = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(demo.home, home, copy_function=shutil.copy2)
    made = Demo(home)
    made.command("run")  # the inventory's addresses are those of the new folder
    return made


def test_a_second_run_finds_nothing_to_do(demo: Demo):
    assert "nothing to do" in demo.command("run")
    assert list(stale_steps(demo.lake())) == []


def test_the_report_names_stages_drops_duplicates_and_the_release(demo: Demo):
    text = demo.command("report", "--truth", str(ROOT / "sample_crawl" / "ground_truth.yaml"))
    for word in (
        "prefiltered",
        "low_clip_score",
        "posted twice, found",
        "release demo:",
        "dataproc gallery",
    ):
        assert word in text, text


def test_killed_again_and_again_on_s3_it_ends_like_an_undisturbed_run_in_a_folder(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """On a server of its own: a release switches the bucket's versions on, for good."""
    with s3_server(tmp_path / "s3") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        other = replace(Demo.create(tmp_path / "home"), profile="s3")
        other.command("upload", str(SAMPLE))
        for pattern in KILLS:
            assert other.run_until(lambda line, p=pattern: bool(re.search(p, line))), pattern
        other.command("run")
        assert other.digests() == demo.digests()
        assert list(stale_steps(other.lake())) == []


def test_a_new_file_is_noticed_and_scored_alone(copy: Demo):
    lake = copy.lake()
    before = {name: len(lake.parts.paths(name, "twitter")) for name in lake.project.pass_metrics}
    images = Path(lake.bucket.url) / "dataset-twitter" / "images"
    tweets = images.parent / "tweets.jsonl"
    record = tweets.read_bytes().splitlines()[0].replace(b'"num": 1', b'"num": 4')
    with tweets.open("ab") as file:
        file.write(record + b"\n")
    tweet = re.search(rb'"tweet_id": ?(\d+)', record)
    assert tweet
    name = f"{tweet[1].decode()}_4.jpg"
    Image.linear_gradient("L").resize((400, 300)).convert("RGB").save(images / name)

    asked = {s: crawl_changes(lake, s, None, LATER) for s in lake.project.sources}
    results = {s: r for s, r in asked.items() if r.run_requests}
    assert list(results) == ["twitter"]
    (request,) = results["twitter"].run_requests or []
    assert request.partition_key == "twitter"
    assert [key.to_user_string() for key in request.asset_selection or []] == [
        "inventory",
        "records",
        "todo",
    ]
    again = crawl_changes(lake, "twitter", results["twitter"].cursor, LATER)
    assert not again.run_requests

    copy.command("run", "--source", "twitter", "--until", "todo")
    passes = pending_passes(lake).run_requests or []
    assert [request.partition_key for request in passes] == ["twitter"]
    text = copy.command("run")
    assert "1 of 1 images" in text
    for metric, count in before.items():
        parts = lake.parts.paths(metric, "twitter")
        assert len(parts) == count + 1
        new = lake.parts.read(metric, "twitter").filter(pl.col("image_key").str.ends_with("_4"))
        assert new.collect().height == 1
    assert "nothing to do" in copy.command("run")


def test_sensors_are_quiet_when_nothing_changed(demo: Demo):
    lake = demo.lake()
    for source in lake.project.sources:
        assert not crawl_changes(lake, source, None, LATER).run_requests
    assert not pending_passes(lake).run_requests
    assert not unencoded_releases(lake).run_requests


def test_a_changed_threshold_remakes_what_depends_on_it_and_scores_nothing(copy: Demo):
    lake = copy.lake()
    parts = {
        (m, s): lake.parts.paths(m, s)
        for m in lake.project.pass_metrics
        for s in lake.project.sources
    }
    merged = {s: lake.info("metrics_merged", s) for s in lake.project.sources}
    kept = _kept(lake)
    rules = copy.conf / "curation.yaml"
    text = rules.read_text()
    assert "column: clip_score, value: 1.2" in text
    rules.write_text(
        text.replace("column: clip_score, value: 1.2", "column: clip_score, value: 2.0")
    )
    log = copy.command("run")
    assert "prefiltered" in log
    assert "images to score" not in log
    assert not re.search(r"making \w+: (clip|inventory|records|todo|metrics_merged)", log)
    assert parts == {
        (m, s): lake.parts.paths(m, s)
        for m in lake.project.pass_metrics
        for s in lake.project.sources
    }
    assert merged == {s: lake.info("metrics_merged", s) for s in lake.project.sources}
    assert _kept(lake) < kept
    assert "nothing to do" in copy.command("run")


def _kept(lake: Lake) -> int:
    tables = [lake.read("prefiltered", source) for source in lake.project.sources]
    return sum(table.select(pl.col("keep").sum()).collect().item() for table in tables)
