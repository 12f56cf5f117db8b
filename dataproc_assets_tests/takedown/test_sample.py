"""A takedown on the sample crawl, by the commands that a person gives."""

import json
import shutil
from pathlib import Path

import pytest

from dataproc_assets.release.signing import private_key_from_env, public_hex
from dataproc_assets_tests.demo import SAMPLE, Demo
from dataproc_assets_tests.takedown.search import find_all

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]
ARTIST = "jarno_vasamaa"  # nine posts on four platforms


def test_an_artist_leaves_the_sample_and_the_same_crawl_brings_nothing_back(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATAPROC_TAKEDOWN_KEY", "11" * 32)
    shutil.copytree(demo.home, tmp_path / "home", copy_function=shutil.copy2)
    copy = Demo(tmp_path / "home")
    public = public_hex(private_key_from_env())
    keys = copy.conf / "takedown.yaml"
    keys.write_text(keys.read_text().replace("public_keys: []", f"public_keys: [{public}]"))
    copy.command("takedown", "add", "--artist", ARTIST, "--date", "2026-01-02")
    copy.command("takedown", "apply", "--purge")
    (entry,) = json.loads(copy.command("takedown", "list", "--json"))
    told = json.loads(copy.command("takedown", "receipt", entry["id"], "--json"))
    images = {image["image_key"] for image in told["images"]}
    assert len(images) >= 9 and len({key.split("/")[0] for key in images}) >= 4
    assert told["releases"] == {"demo": "demo.1"}

    copy.command("upload", str(SAMPLE))
    copy.command("run", "--until", "sanitized")
    store = copy.lake().store
    natives = {key.split("/")[1] for key in images}
    needles = {name: name.encode() for name in images | natives | {ARTIST}}
    found = find_all(store, needles)
    assert {path.split("/")[0] for path in found} == {"ledger", "receipts"}, found
    assert "as published" in copy.command("release", "verify", "demo.1")
