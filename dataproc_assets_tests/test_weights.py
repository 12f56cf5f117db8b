"""The command on weights: against a hub on loopback, an S3 server, and the files of the package."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dataproc_assets.cli import cli
from dataproc_assets.config.project import load_project
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.weights import UnknownName, chosen
from dataproc_assets_tests.config.conf import change, copy_conf
from dataproc_assets_tests.models.hub import COMMIT, TOKEN, Hub, hub_server

MODEL = "owner/clip/open_clip_model.safetensors"


@pytest.fixture
def conf(tmp_path, monkeypatch) -> Path:
    """A configuration of the test's own, and empty caches."""
    folder = copy_conf(tmp_path)
    monkeypatch.setenv("DATAPROC_CONF", str(folder))
    monkeypatch.setenv("DATAPROC_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.delenv("DATAPROC_PROFILE", raising=False)
    return folder


@pytest.fixture
def hub():
    with hub_server() as server:
        yield server


def call(*words: str) -> Result:
    """A command in this process."""
    return CliRunner().invoke(cli, ["weights", *words])


def run(hub: Hub, tmp_path: Path, *words: str, **variables: str) -> tuple[int, str, str]:
    """A command as the shell starts it, with the hub on loopback: code, output and errors."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        **variables,
    }
    environment.pop("HF_HUB_CACHE", None)
    code = "from dataproc_assets.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "weights", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_the_shipped_files_are_listed_with_their_lines_and_found_right(conf):
    said = call("list", "clip", "demo").output.splitlines()
    assert [line.split()[0] for line in said[1:]] == [
        f"conf/metrics/clip.yaml:{line_of(conf / 'metrics/clip.yaml', text)}"
        for text in ("architecture:", "  weights:", "score:")
    ] + [
        f"conf/vaes/demo.yaml:{line_of(conf / 'vaes/demo.yaml', text)}"
        for text in ("architecture:", "weights:")
    ]
    assert all(" present " in line and "sha256 " in line for line in said[1:])
    whole = call("check")
    assert (whole.exit_code, whole.output) == (
        0,
        f"{len(chosen(load_project(), []))} files are there and the right ones\n",
    )
    assert call("fetch").output == "nothing to fetch: every file is there\n"


def test_an_unknown_name_is_answered_with_the_nearest(conf):
    for command in ("list", "fetch", "check"):
        result = call(command, "clipp")
        assert result.exit_code == 2
        assert "no metric and no VAE named 'clipp' (did you mean 'clip'?)" in result.output
    with pytest.raises(UnknownName, match="there are caption, clip"):
        chosen(load_project(), ["xyz"])


def test_without_names_a_vae_counts_where_a_release_names_it(conf):
    (conf / "vaes/other.yaml").write_bytes((conf / "vaes/demo.yaml").read_bytes())
    change(conf / "vaes/other.yaml", name="other", weights__sha256="0" * 64)
    project = load_project()
    assert "other" not in {use.owner for use in chosen(project, [])}
    assert "other" in {use.owner for use in chosen(project, [], unused=True)}
    assert call("check").exit_code == 0
    assert call("check", "other").exit_code == 1
    assert "conf/vaes/other.yaml" in call("list").output


def test_what_is_missing_is_fetched_from_the_hub_verified_and_not_again(conf, hub, tmp_path):
    digest = hub.add(MODEL, b"weights" * 1000)
    file = {"uri": f"hf://{MODEL}", "revision": COMMIT, "sha256": digest}
    path = conf / "metrics/clip.yaml"
    change(path, encoder__weights=file)
    where = f"conf/metrics/clip.yaml:{line_of(path, '  weights:')}: encoder.weights: "

    code, _, said = run(hub, tmp_path, "check", "clip")
    assert code == 1
    assert said == (
        f"{where}hf://{MODEL} is not in the Hugging Face cache; "
        "fetch it with: dataproc weights fetch clip\n"
    )
    assert not hub.requests
    _, listed, _ = run(hub, tmp_path, "list", "clip")
    assert f"sha256 {digest[:12]}, revision {COMMIT[:12]}  absent" in listed

    code, told, said = run(hub, tmp_path, "fetch", "clip")
    assert (code, told, said) == (0, f"fetched hf://{MODEL}\n1 files fetched\n", "")
    asked = len(hub.requests)
    assert run(hub, tmp_path, "fetch", "clip")[1] == "nothing to fetch: every file is there\n"
    assert run(hub, tmp_path, "check", "clip")[0] == 0
    assert len(hub.requests) == asked
    _, listed, _ = run(hub, tmp_path, "list", "clip")
    assert "present" in listed and "7,000" in listed and "absent" not in listed

    (blob,) = (tmp_path / "hf/hub/models--owner--clip/blobs").iterdir()
    blob.write_bytes(b"damaged")
    code, _, said = run(hub, tmp_path, "check", "clip")
    assert code == 1 and f"expected {digest}" in said
    assert "mismatch" in run(hub, tmp_path, "list", "clip")[1]
    assert run(hub, tmp_path, "fetch", "clip")[0] == 0
    assert run(hub, tmp_path, "check", "clip")[0] == 0


def test_a_file_that_is_not_the_pinned_one_is_refused(conf, hub, tmp_path):
    hub.add(MODEL, b"weights")
    file = {"uri": f"hf://{MODEL}", "revision": COMMIT, "sha256": "0" * 64}
    change(conf / "metrics/clip.yaml", encoder__weights=file)
    code, _, said = run(hub, tmp_path, "fetch", "clip")
    assert code == 1
    assert said.startswith("Error: conf/metrics/clip.yaml:") and "expected 0000" in said
    assert "that is what was fetched: correct its sha256 or revision" in said
    assert "Traceback" not in said


def test_a_gated_model_needs_the_token_and_does_not_show_it(conf, hub, tmp_path):
    digest = hub.add(MODEL, b"weights")
    hub.gated.add("owner/clip")
    change(conf / "metrics/clip.yaml", encoder__weights={"uri": f"hf://{MODEL}", "sha256": digest})
    code, told, said = run(hub, tmp_path, "fetch", "clip", HF_TOKEN=f"{TOKEN}x")
    assert code == 1 and "set HF_TOKEN" in said and TOKEN not in told + said
    code, told, said = run(hub, tmp_path, "fetch", "clip", HF_TOKEN=TOKEN)
    assert code == 0 and TOKEN not in told + said


def test_an_object_of_s3_is_fetched_into_the_cache(conf, s3_url, tmp_path):
    architecture = (Path(__file__).parent / "conftest.py").read_bytes()
    ObjectStore(s3_url).put("vae/config.json", architecture)
    digest = hashlib.sha256(architecture).hexdigest()
    change(
        conf / "vaes/demo.yaml",
        architecture={"uri": f"{s3_url}/vae/config.json", "sha256": digest},
    )
    assert call("check", "demo").exit_code == 1
    assert "absent" in call("list", "demo").output
    assert not (tmp_path / "cache").exists()
    assert call("fetch", "demo").output == (f"fetched {s3_url}/vae/config.json\n1 files fetched\n")
    assert (tmp_path / "cache" / f"{digest}.json").read_bytes() == architecture
    assert call("check", "demo").exit_code == 0
    (tmp_path / "cache" / f"{digest}.json").write_bytes(b"damaged")
    assert call("check", "demo").exit_code == 1
    assert call("fetch", "demo").exit_code == 0
    assert call("check", "demo").exit_code == 0


def test_a_pickle_is_not_even_fetched(conf, hub, tmp_path):
    hub.add("owner/clip/model.bin", b"pickle")
    file = {"uri": "hf://owner/clip/model.bin", "revision": COMMIT}
    change(conf / "metrics/clip.yaml", encoder__weights=file)
    code, _, said = run(hub, tmp_path, "fetch", "clip")
    assert code == 1 and "convert it to safetensors" in said
    assert not hub.requests


def test_a_path_that_is_not_there_cannot_be_fetched(conf, tmp_path):
    file = {"uri": str(tmp_path / "none.safetensors"), "sha256": "0" * 64}
    change(conf / "metrics/clip.yaml", encoder__weights=file)
    result = call("fetch", "clip")
    assert result.exit_code == 1
    assert "does not exist; put it there or correct its uri" in str(result.exception)


def test_a_folder_of_metrics_is_taken_without_switching_the_profile(conf):
    other = conf / "metrics" / "other"
    other.mkdir()
    (other / "clip.yaml").write_bytes((conf / "metrics" / "clip.yaml").read_bytes())
    change(other / "clip.yaml", encoder__weights={"uri": f"hf://{MODEL}", "revision": COMMIT})
    assert call("check", "clip").exit_code == 0
    result = call("check", "--metrics", "other", "clip")
    assert result.exit_code == 1
    assert "conf/metrics/other/clip.yaml:" in result.output
    assert "fetch it with: dataproc weights fetch --metrics other clip" in result.output
    assert call("check", "--metrics", "othr").exit_code == 1


def test_what_production_lacks_is_listed_with_the_command_that_fetches_it(conf, hub, tmp_path):
    names = ("clip", "tagger", "sdxl")
    code, _, said = run(hub, tmp_path, "check", "--metrics", "production", *names)
    lines = said.splitlines()
    assert code == 1 and len(lines) == 4
    for line, name in zip(lines, ("clip", "tagger", "tagger", "sdxl"), strict=True):
        option = "" if name == "sdxl" else " --metrics production"
        folder = "vaes" if name == "sdxl" else "metrics/production"
        assert line.startswith(f"conf/{folder}/{name}.yaml:")
        assert line.endswith(f"fetch it with: dataproc weights fetch{option} {name}")
    assert not hub.requests
