import io
import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
from rich.console import Console

from dataproc_assets.commands.bar import bytes_bar
from dataproc_assets_tests.defs.posts import KEPT
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.release.hub import TOKEN, Hub, writable_hub
from dataproc_assets_tests.test_cli import call, conf, home

__all__ = ["conf", "home"]  # fixtures


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with writable_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def test_unpack_says_where_and_what(conf: World, tmp_path: Path):
    said = call("unpack", "demo", str(tmp_path / "out"))
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[-3] == "unpacking demo: 100 %"
    count = f"{len(KEPT)} images, 0 latents, prompts of"
    assert lines[-2].startswith(f"{tmp_path / 'out' / 'dataset.toml'}: {count}")
    assert lines[-1].startswith("mind: no latents are published")
    assert len(json.loads((tmp_path / "out" / "metadata.json").read_bytes())) == len(KEPT)


def test_unpack_of_another_root(conf: World, tmp_path: Path):
    said = call("unpack", "demo", str(tmp_path / "out"), "--root", conf.lake.store.url)
    assert said.exit_code == 0, said.output
    said = call("unpack", "demo", str(tmp_path / "two"), "--root", str(tmp_path))
    assert said.exit_code == 1
    assert said.output == f"Error: {tmp_path}/releases/demo: 'demo' is not published\n"
    assert not (tmp_path / "two").exists()


def test_unpack_of_what_is_not_there(conf: World, tmp_path: Path):
    said = call("unpack", "demo", str(tmp_path / "out"), "--recipe", "other")
    assert said.exit_code == 1 and "no recipe 'other': " in said.output
    (tmp_path / "mine").write_text("x")
    said = call("unpack", "demo", str(tmp_path))
    assert said.exit_code == 1 and "holds other files: name a new folder" in said.output


def test_push_says_where_and_how_much(conf: World, hub: Hub):
    said = call("release", "push", "demo", "--repo", "ada/demo")
    assert said.exit_code == 0, said.output
    last = said.output.splitlines()[-1]
    assert last.startswith(f"{hub.url}/datasets/ada/demo/tree/main: ")
    assert "files sent (commit" in last
    assert hub.repos["ada/demo"].visibility == "private"
    again = call("release", "push", "demo", "--repo", "ada/demo").output.splitlines()[-1]
    assert "nothing to send: it is all there" in again


def test_push_asks_for_a_token_and_shows_none(conf: World, hub: Hub, monkeypatch):
    said = call("release", "push", "demo", "--repo", "others/demo")
    assert said.exit_code == 1 and "does not let HF_TOKEN write here" in said.output
    assert TOKEN not in said.output
    monkeypatch.delenv("HF_TOKEN")
    said = call("release", "push", "demo", "--repo", "ada/demo")
    assert said.exit_code == 1 and "HF_TOKEN is not set" in said.output
    assert said.output.count("\n") == 1


def test_push_of_an_unknown_release(conf: World, hub: Hub):
    said = call("release", "push", "dem", "--repo", "ada/demo")
    assert said.exit_code == 2 and "did you mean 'demo'?" in said.output
    assert hub.repos == {}


def test_a_workflow_is_printed_in_both_forms(conf: World):
    flow = json.loads(call("release", "comfyui", "demo", "--checkpoint", "my.safetensors").output)
    assert flow["nodes"][0]["type"] == "CheckpointLoaderSimple"
    api = json.loads(call("release", "comfyui", "demo", "--api").output)
    assert len(api) == len(flow["nodes"]) == 7
    assert "1girl" in api["2"]["inputs"]["text"]
    said = call("release", "comfyui", "demo", "--recipe", "other")
    assert said.exit_code == 2 and "'other' is none of" in said.output


def test_without_a_terminal_each_tenth_is_a_line():
    said: list[str] = []
    with bytes_bar("unpacking demo", 1000, said.append, Console(file=io.StringIO())) as seen:
        for size in (99, 1, 400, 250, 250):
            seen(size)
    assert said == [f"unpacking demo: {done} %" for done in (10, 50, 70, 100)]


def test_on_a_terminal_there_is_a_bar_and_no_line():
    said: list[str] = []
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    with bytes_bar("unpacking demo", 1000, said.append, console) as seen:
        seen(500)
    assert "unpacking demo" in screen.getvalue() and "/1.0" in screen.getvalue()
    assert said == []
