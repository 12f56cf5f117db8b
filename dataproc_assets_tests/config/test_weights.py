import pytest
from pydantic import Field, ValidationError

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.metrics import MetricConfig, OpenClip
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.weights import File, Folder, files_of, pins
from dataproc_assets.config.yaml import ConfigError, read_yaml
from dataproc_assets_tests.config.conf import copy_conf, replace
from dataproc_assets_tests.models.pictures import METRIC, metric

DIGEST, OTHER, COMMIT = "a" * 64, "b" * 64, "c" * 40
HUB = "hf://owner/repo/model.safetensors"


class Model(StrictModel):
    one: File
    many: list[File] = Field(default_factory=list)
    by_name: dict[str, File] = Field(default_factory=dict)
    folder: Folder | None = None


@pytest.mark.parametrize(
    "values",
    [
        {"uri": "package:dataproc_assets/w.json", "sha256": DIGEST},
        {"uri": "/a/b.onnx", "sha256": DIGEST},
        {"uri": "file:///a/b.onnx", "sha256": DIGEST},
        {"uri": "s3://bucket/a/b.onnx", "sha256": DIGEST},
        {"uri": HUB, "sha256": DIGEST},
        {"uri": HUB, "revision": COMMIT},
        {"uri": HUB, "revision": COMMIT, "sha256": DIGEST},
    ],
)
def test_a_file_is_pinned_by_digest_or_commit(values):
    file = File(**values)
    assert (file.sha256, file.revision) == (values.get("sha256"), values.get("revision"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"uri": "/a.onnx"}, "give a sha256"),
        ({"uri": HUB}, "give a sha256, or for hf:// the revision"),
        ({"uri": HUB, "revision": "main"}, "a branch or a tag can be moved to other bytes"),
        ({"uri": HUB, "revision": COMMIT[:7]}, "give the 40 hex digits of a commit"),
        ({"uri": "s3://b/k.onnx", "revision": COMMIT}, "revision is for hf:// alone"),
        ({"uri": "/a.onnx", "sha256": DIGEST.upper()}, "match pattern"),
        ({"uri": "https://a.org/b.onnx", "sha256": DIGEST}, "begins with package:, file://, s3"),
        ({"uri": "hf://owner/repo", "sha256": DIGEST}, "such an address is hf://owner/repo/path"),
        ({"uri": "hf://owner//a.onnx", "sha256": DIGEST}, "such an address is hf://"),
        ({"uri": "hf://owner/repo@main/a.onnx", "sha256": DIGEST}, "a key of its own: revision"),
        ({"uri": "s3://bucket", "sha256": DIGEST}, "such an address is s3://bucket/key"),
    ],
)
def test_what_pins_nothing_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        File(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"uri": "/a"}, "give a sha256"),
        ({"uri": "hf://owner", "revision": COMMIT}, "such an address is hf://"),
        ({"uri": "/a", "sha256": {"config.json": DIGEST}}, r"one \.safetensors"),
        ({"uri": "/a", "sha256": {"w.safetensors": DIGEST}}, r"sha256 names config\.json"),
        ({"uri": "/a", "sha256": {"config.json": DIGEST, "w.bin": DIGEST}}, r"one \.safetensors"),
    ],
)
def test_a_folder_is_pinned_file_by_file(values, message):
    with pytest.raises(ValidationError, match=message):
        Folder(**values)


def test_the_files_of_a_folder():
    digests = {"config.json": DIGEST, "diffusion_pytorch_model.fp16.safetensors": OTHER}
    files = Folder(uri="s3://b/vae", sha256=digests, place="conf/vaes/x.yaml:3").files()
    assert files["architecture"].uri == "s3://b/vae/config.json"
    assert files["weights"].uri == "s3://b/vae/diffusion_pytorch_model.fp16.safetensors"
    assert [file.sha256 for file in files.values()] == [DIGEST, OTHER]
    assert {file.place for file in files.values()} == {"conf/vaes/x.yaml:3"}
    hub = Folder(uri="hf://owner/repo", revision=COMMIT).files()
    assert hub["weights"].uri == "hf://owner/repo/diffusion_pytorch_model.safetensors"
    assert hub["weights"].revision == COMMIT


YAML = f"""\
one:
  uri: /a.onnx
  sha256: "{DIGEST}"
many:
  - {{uri: /b.onnx, sha256: "{DIGEST}"}}
by_name:
  x:
    uri: /c.onnx
    sha256: "{DIGEST}"
folder:
  uri: hf://owner/repo
  revision: "{COMMIT}"
"""


def read(tmp_path, text: str) -> Model:
    path = tmp_path / "conf" / "metrics" / "x.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return read_yaml(path, Model)


def test_yaml_gives_every_file_its_place(tmp_path):
    model = read(tmp_path, YAML)
    assert {key: file.place for key, file in files_of(model)} == {
        "one": "conf/metrics/x.yaml:1",
        "many.0": "conf/metrics/x.yaml:5",
        "by_name.x": "conf/metrics/x.yaml:7",
        "folder/config.json": "conf/metrics/x.yaml:10",
        "folder/diffusion_pytorch_model.safetensors": "conf/metrics/x.yaml:10",
    }
    again = Model.model_validate_json(model.model_dump_json())
    assert list(files_of(again)) == list(files_of(model))


@pytest.mark.parametrize("given", ["place: here", 'place: ""'])
def test_yaml_does_not_say_a_place_itself(tmp_path, given):
    with pytest.raises(ConfigError, match=r"^conf/metrics/x\.yaml:3: unknown key 'place' \(known"):
        read(tmp_path, YAML.replace("  sha256", f"  {given}\n  sha256", 1))


def test_a_misspelt_key_is_not_answered_with_the_place(tmp_path):
    with pytest.raises(ConfigError, match=r"known here: revision, sha256, uri\)"):
        read(tmp_path, YAML.replace("  uri: /a.onnx", "  uri: /a.onnx\n  zzz: 1"))


def test_a_branch_is_refused_at_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"x\.yaml:12: folder\.revision: a branch or a tag"):
        read(tmp_path, YAML.replace(f'"{COMMIT}"', "main"))


def test_the_line_of_a_file_changes_no_fingerprint_and_no_key(tmp_path):
    conf = copy_conf(tmp_path)
    path = conf / "metrics" / "clip.yaml"
    before = read_yaml(path, MetricConfig)
    replace(path, "name: clip\n", "# a line more\nname: clip\n")
    after = read_yaml(path, MetricConfig)
    assert isinstance(before, OpenClip)
    assert isinstance(after, OpenClip)
    assert before.encoder.weights.place != after.encoder.weights.place
    assert before.encoder.weights.place.startswith("conf/metrics/clip.yaml:")
    assert fingerprint(before) == fingerprint(after) == fingerprint(metric("clip"))
    assert before.encoder.key() == after.encoder.key()
    assert METRIC.validate_json(before.model_dump_json()) == before


def test_a_digest_is_enough_for_a_fingerprint_and_a_commit_takes_part_without_one():
    def value(**changes):
        return pins(File(**{"uri": HUB, "sha256": DIGEST, **changes}).model_dump())

    assert value() == value(revision=COMMIT) == value(uri="/elsewhere.safetensors") == DIGEST
    commits = [
        value(sha256=None, revision=COMMIT),
        value(sha256=None, revision="d" * 40),
        value(sha256=None, revision=COMMIT, uri="hf://owner/repo/other.safetensors"),
    ]
    assert commits[0] != commits[1] != commits[2] != commits[0]
    assert value(sha256=None, revision=COMMIT, place="x.yaml:1") == commits[0]


def test_what_stands_beside_a_files_pin_takes_part():
    file = File(uri="/a.onnx", sha256=DIGEST).model_dump()
    assert pins(file | {"activation": "relu"}) != pins(file | {"activation": "gelu"})
    assert pins([file]) == [DIGEST]


VAE = {"name": "x", "channels": 4, "factor": 8, "scaling": 1.0, "version": 1}
FILE = {"uri": "/a.json", "sha256": DIGEST}


@pytest.mark.parametrize(
    "form",
    [{}, {"weights": FILE}, {"architecture": FILE},
     {"folder": {"uri": "hf://o/r", "revision": COMMIT}, "weights": FILE}],
)  # fmt: skip
def test_a_vae_has_one_form(form):
    with pytest.raises(ValidationError, match="either a folder, or architecture and weights"):
        VaeConfig.model_validate(VAE | form)


def test_a_vaes_files_have_the_keys_of_its_yaml():
    pair = VaeConfig.model_validate(VAE | {"architecture": FILE, "weights": FILE})
    assert pair.file("weights") == ("weights", File.model_validate(FILE))
    folder = VaeConfig.model_validate(VAE | {"folder": {"uri": "hf://o/r", "revision": COMMIT}})
    assert folder.file("architecture")[0] == "folder"
    assert folder.file("architecture")[1].uri == "hf://o/r/config.json"
