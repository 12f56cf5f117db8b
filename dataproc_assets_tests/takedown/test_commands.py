import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dataproc_assets.cli import cli
from dataproc_assets_tests.defs.posts import TWIN
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.demo import ROOT


@pytest.fixture
def world(finished: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A finished world, which the commands work on."""
    copy = finished.copy(tmp_path / "copy")
    shutil.copy(ROOT / "dagster.yaml", copy.home)
    monkeypatch.setenv("DATAPROC_CONF", str(copy.conf))
    monkeypatch.setenv("DAGSTER_HOME", str(copy.home))
    monkeypatch.chdir(copy.home)
    return copy


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, ["takedown", *words])


def test_what_is_asked_is_entered_listed_carried_out_and_told(world: World, monkeypatch):
    made = call("key", "secret.pem")
    public = made.output.strip().rpartition(" ")[2]
    assert (world.home / "secret.pem").stat().st_mode & 0o777 == 0o600
    assert (world.home / "secret.pem").read_text() not in made.output
    world.change("takedown.yaml", lambda conf: conf.update(public_keys=[public]))
    monkeypatch.setenv("DATAPROC_TAKEDOWN_KEY", "secret.pem")

    added = call("add", TWIN[0], "--reason", "asked by letter", "--date", "2026-01-02")
    assert added.exit_code == 0, added.output
    assert "1 entries, which mean 2 images of the lake" in added.output
    assert f"{TWIN[0]} (named)" in added.output and f"{TWIN[1]} (a copy)" in added.output
    (row,) = json.loads(call("list", "--json").output)
    assert (row["kind"], row["value"], row["follow"], row["applied"]) == ("key", TWIN[0], 1, "")
    assert "2026-01-02  key pixiv/100_p0: asked by letter" in call("list").output

    applied = call("apply")
    assert applied.exit_code == 0, applied.output
    assert "making gallery" in applied.output and "revocation: " in applied.output
    assert "applied " in call("list").output
    told = json.loads(call("receipt", row["id"], "--json").output)
    assert {image["image_key"] for image in told["images"]} == {*TWIN}
    assert f"receipt {told['id']}" in call("receipt", told["id"]).output
    assert told["id"] in call("receipt").output
    assert "nothing to do" in call("apply").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name an image, or give --artist or --file"),
        (("ada",), "'ada' is no key or post"),
        ((TWIN[0], "--date", "soon"), "'soon' is no date"),
        (("--file", "none.csv"), "none.csv"),
    ],
)
def test_what_cannot_be_understood_enters_nothing(world: World, words, message):
    result = call("add", *words)
    assert result.exit_code and message in result.output
    assert call("list").output == "nothing is taken down\n"


def test_a_file_and_artists_are_entered_together(world: World):
    (world.home / "asked.csv").write_text("value\ndanbooru/2\npixiv/101\n")
    result = call("add", "--file", "asked.csv", "--artist", "somebody", "--only")
    assert "3 entries, which mean 2 images" in result.output
    rows = json.loads(call("list", "--json").output)
    assert {(row["kind"], row["value"], row["scope"]) for row in rows} == {
        ("key", "danbooru/2", "post"),
        ("post", "pixiv/101", "post"),
        ("artist", "somebody", "post"),
    }
    assert "artist somebody, copies may stay" in call("list").output


def test_without_a_key_the_next_step_is_told(world: World, monkeypatch):
    monkeypatch.delenv("DATAPROC_TAKEDOWN_KEY", raising=False)
    call("add", TWIN[0])
    result = call("apply")
    assert result.exit_code == 1 and "`dataproc takedown key FILE` makes one" in result.output
    assert "no receipt 'x'; there are none" in call("receipt", "x").output
