import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.storage.layout import denoiser_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.demo import DATAPROC, Demo
from dataproc_assets_tests.denoisers import trained
from dataproc_assets_tests.stores import copied
from dataproc_assets_tests.test_cli import call, conf, home, start

__all__ = ["conf", "home", "trained"]  # fixtures


@pytest.fixture
def denoiser(conf: World, trained: ObjectStore) -> World:
    """The commands' world, with the denoiser of a release `small` in its storage root."""
    for folder in ("denoisers", "latents"):
        copied(trained, conf.lake.store, folder)
    return conf


def test_a_picture_is_drawn_and_said(denoiser: World, home: Path):
    said = call("sample", "small", "--prompt", "1girl, red")
    assert said.exit_code == 0 and said.output == "sample.png: 64x64\n"
    with Image.open(home / "sample.png") as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (64, 64))


def test_what_is_given_decides(denoiser: World, home: Path):
    given = ("--size", "96x64", "--guidance", "2", "--steps", "3", "--seed", "5")
    for name in ("one.webp", "two.webp"):
        said = call("sample", "small", "--prompt", "red", "--out", name, *given)
        assert said.output == f"{name}: 96x64\n"
    one, two = ((home / name).read_bytes() for name in ("one.webp", "two.webp"))
    assert one == two and one.startswith(b"RIFF")
    call("sample", "small", "--prompt", "blue", "--out", "two.webp", *given)
    assert (home / "two.webp").read_bytes() != one


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, 'give either --prompt "…" or --ui'),
        (["--prompt", "red", "--ui"], 2, 'give either --prompt "…" or --ui'),
        (["--prompt", "a loli"], 1, "asks for what is never released; it is not drawn"),
        (["--prompt", "red", "--size", "big"], 1, "'big' is no size"),
        (["--prompt", "red", "--size", "65x64"], 1, "must be multiples of 16 pixels"),
        (["--prompt", "red", "--guidance", "-1"], 2, "--guidance"),
        (["--prompt", "red", "--steps", "0"], 2, "--steps"),
        (["--prompt", "red", "--out", "sample.txt"], 2, "ends with none of .jpeg, .jpg, .png"),
        (["--prompt", "red", "--out", "no/such.png"], 2, "there is no folder 'no'"),
    ],
)
def test_what_cannot_be_done_is_told(
    denoiser: World, home: Path, words: list[str], code: int, said: str
):
    result = call("sample", "small", *words)
    assert result.exit_code == code and said in " ".join(result.output.split())
    assert sorted(path.name for path in home.iterdir()) == ["dagster.yaml"]


def test_a_release_without_a_denoiser_is_told(denoiser: World):
    said = call("sample", "demo", "--prompt", "red")
    assert said.exit_code == 1
    assert "denoisers/demo: no denoiser was trained on a release 'demo'" in said.output


def test_changed_weights_are_a_message(denoiser: World, monkeypatch, capsys):
    store = denoiser.lake.store
    (path,) = (p for p in store.list("denoisers")["path"] if p.endswith(".safetensors"))
    store.put(path, store.get(path)[:-1] + b"x")
    assert start(monkeypatch, "sample", "small", "--prompt", "red") == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: ") and "is not the file that was published" in said


def test_without_gradio_the_page_says_what_to_install(denoiser: World, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    said = call("sample", "small", "--ui")
    assert said.exit_code == 1 and "pip install 'dataproc-assets[sample]'" in said.output


def test_a_port_that_is_taken_is_named(denoiser: World):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = call("sample", "small", "--ui", "--port", str(port))
    assert said.exit_code == 1
    assert said.output == f"Error: 127.0.0.1:{port} is taken; choose another --port\n"


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_the_demo_shows_that_its_prompts_are_its_images_and_draws(demo: Demo, tmp_path: Path):
    config = demo.project().releases["demo"].denoiser
    manifest = read_manifest(demo.lake().store, denoiser_path("demo"))
    assert config is not None and manifest is not None
    counts = manifest.counts
    assert counts["over_shuffled"]["z"] >= config.z_min
    assert counts["over_none"]["z"] > 1.0 and counts["p"] <= 0.05
    words = ("--prompt", "no humans, animal, cat", "--out", str(tmp_path / "cat.png"))
    assert demo.command("sample", "demo", *words).endswith("cat.png: 256x256\n")


@pytest.mark.slow
def test_the_page_is_served_until_it_is_interrupted(denoiser: World):
    words = [str(DATAPROC), "sample", "small", "--ui", "--port", "0"]
    with subprocess.Popen(
        words,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(
            r"drawing with the denoiser of small: (http://127\.0\.0\.1:\d+/)\n", line
        )
        assert found, line
        with urlopen(found[1]) as answer:
            assert b"Denoiser of small" in answer.read()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0 and "Traceback" not in rest
