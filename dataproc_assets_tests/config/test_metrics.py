import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError

from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.project import load_project
from dataproc_assets.config.weights import File
from dataproc_assets.config.yaml import ConfigError
from dataproc_assets_tests.config.conf import change, copy_conf
from dataproc_assets_tests.models.pictures import METRIC, metric, vae


def changed(config, **update):
    return fingerprint(config.model_copy(update=update))


def test_what_does_not_change_values_keeps_the_fingerprint():
    clip = metric("clip")
    moved = clip.encoder.weights.model_copy(update={"uri": "/elsewhere/clip.safetensors"})
    same = {
        fingerprint(clip),
        changed(clip, name="clip_two"),
        changed(clip, on="representatives"),
        changed(clip, batch_size=1),
        changed(clip, seconds_per_image=9.0),
        changed(clip, encoder=clip.encoder.model_copy(update={"weights": moved})),
    }
    assert len(same) == 1
    assert changed(vae(), scaling=0.5) == fingerprint(vae())


def test_what_changes_values_changes_the_fingerprint():
    clip, tagger, caption = metric("clip"), metric("tagger"), metric("caption")
    side = clip.encoder.input.model_copy(update={"side": 256})
    weights = File(uri=clip.encoder.weights.uri, sha256="0" * 64)
    assert (
        len(
            {
                fingerprint(clip),
                changed(clip, version=2),
                changed(clip, decimals=3),
                changed(clip, heads={}),
                changed(clip, encoder=clip.encoder.model_copy(update={"input": side})),
                changed(clip, encoder=clip.encoder.model_copy(update={"weights": weights})),
            }
        )
        == 6
    )
    assert changed(tagger, floors={"general": 0.2}) != fingerprint(tagger)
    assert changed(caption, min_cosine=0.5) != fingerprint(caption)
    assert changed(vae(), version=2) != fingerprint(vae())


def test_the_precision_that_was_the_only_one_keeps_the_fingerprint():
    clip = metric("clip")
    assert fingerprint(clip) == "c0cd4b300ec97f0d"
    half = clip.encoder.model_copy(update={"precision": "bfloat16"})
    assert changed(clip, encoder=half) != fingerprint(clip)


def test_every_packaged_metric_has_its_own_fingerprint():
    names = ("clip", "softmax", "drawing", "tagger", "pixels", "caption")
    prints = {fingerprint(metric(name)) for name in names} | {fingerprint(vae())}
    assert len(prints) == 7
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in prints)


def test_the_same_yaml_has_the_same_fingerprint_after_a_journey_as_json():
    clip = metric("clip")
    assert fingerprint(METRIC.validate_json(clip.model_dump_json())) == fingerprint(clip)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "magic"},
        {"batchsize": 4},
        {"batch_size": "4"},
        {"decimals": -1},
        {"on": "always"},
        {"name": "Clip-1"},
    ],
)
def test_a_wrong_value_is_refused(wrong):
    values = metric("pixels").model_dump() | wrong
    with pytest.raises(ValidationError):
        METRIC.validate_python(values)


def test_onnx_has_the_precision_of_its_file():
    with pytest.raises(ValidationError, match="backend onnx takes no `precision`"):
        of_kind("tagger", **ONNX, precision="bfloat16")


def test_configuration_loads_no_torch():
    code = "import sys, dataproc_assets.config.metrics; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


A, B = ({"uri": f"/{name}.safetensors", "sha256": name * 64} for name in "ab")
SHOWN = {"side": 448, "mean": [127.5] * 3, "std": [127.5] * 3}
WHEN = {"on": "todo", "batch_size": 4, "version": 1, "seconds_per_image": 0.1, "decimals": 4}
KINDS = {
    "onnx_classifier": {"weights": A, "input": SHOWN, "classes": ["x", "y"], "output": "logits"},
    "timm_classifier": {
        "model": "convnext_base",
        "model_args": {"drop_rate": 0.0},
        "weights": A,
        "input": SHOWN,
        "classes": ["x", "y"],
        "output": "softmax",
    },
    "tagger": {
        "backend": "timm",
        "model": "vit_base_patch16_224",
        "model_args": {"img_size": 448},
        "weights": A,
        "selected_tags": B,
        "input": SHOWN,
        "output": "logits",
        "floors": {"general": 0.1, "character": 0.5},
        "ratings": ["general", "explicit"],
    },
    "coca_captioner": {
        "encoder": {"model": "coca_ViT-L-14", "weights": A, "input": SHOWN},
        "min_tokens": 4,
        "max_tokens": 30,
    },
}
NO_VALUE = {"name": "other", "on": "representatives", "batch_size": 1, "seconds_per_image": 9.0}
OTHER = {
    "onnx_classifier": {
        "weights": B,
        "input": {**SHOWN, "side": 224},
        "classes": ["y", "x"],
        "output": "probabilities",
    },
    "timm_classifier": {
        "model": "convnext_small",
        "model_args": {},
        "weights": B,
        "input": {**SHOWN, "channels": "bgr"},
        "classes": ["y", "x"],
        "output": "sigmoid",
        "precision": "bfloat16",
    },
    "tagger": {
        "backend": "onnx",
        "model": "vit_small_patch16_224",
        "model_args": {"img_size": 384},
        "weights": B,
        "selected_tags": A,
        "input": {**SHOWN, "fit": "pad"},
        "output": "probabilities",
        "floors": {"general": 0.1, "character": None},
        "ratings": [],
        "precision": "bfloat16",
    },
    "coca_captioner": {
        "encoder": {"model": "coca_ViT-B-32", "weights": A, "input": SHOWN},
        "min_tokens": 5,
        "max_tokens": 40,
    },
}
ONNX = {"backend": "onnx", "model": None, "model_args": {}}


def of_kind(kind, **update):
    return METRIC.validate_python({"name": "m", "kind": kind, **WHEN, **KINDS[kind], **update})


@pytest.mark.parametrize("kind", KINDS)
def test_each_key_of_a_kind_that_can_change_values_changes_its_fingerprint(kind):
    config = of_kind(kind)
    changes = {"version": 2, "decimals": 3, **OTHER[kind]}
    assert {*changes, *NO_VALUE, "kind"} == {*type(config).model_fields}  # none is forgotten
    prints = {fingerprint(config)}
    for key, value in changes.items():
        goes_with = ONNX if kind == "tagger" and key in ("backend", "output") else {}
        prints.add(fingerprint(of_kind(kind, **{key: value} | goes_with)))
    assert len(prints) == 1 + len(changes)
    same = {fingerprint(of_kind(kind, **{key: value})) for key, value in NO_VALUE.items()}
    assert same == {fingerprint(config)}
    elsewhere = {**A, "uri": "/elsewhere.safetensors", "place": "y.yaml:1"}
    encoder = KINDS[kind].get("encoder", {})
    moved = {"encoder": {**encoder, "weights": elsewhere}} if encoder else {"weights": elsewhere}
    moved = of_kind(kind, **moved)
    assert fingerprint(moved) == fingerprint(config)
    assert fingerprint(METRIC.validate_json(config.model_dump_json())) == fingerprint(config)


def test_each_key_of_a_head_that_can_change_its_number_changes_the_fingerprint():
    def with_head(**keys):
        values = metric("clip").model_dump() | {"heads": {"score": {**A, **keys}}}
        return fingerprint(METRIC.validate_python(values))

    changes = [
        {},
        {"kind": "mlp"},
        {"activation": "relu"},
        {"output": "sigmoid"},
        {"sha256": "c" * 64},
    ]
    assert len({with_head(**keys) for keys in changes}) == len(changes)
    assert with_head(any_encoder=True) == with_head(uri="/elsewhere.safetensors") == with_head()


def test_what_others_ask_of_a_metric_without_knowing_its_kind():
    names = ("clip", "softmax", "pixels", "caption")
    shipped = {name: metric(name) for name in names}
    assert {n: m.library for n, m in shipped.items()} == {
        "clip": "pytorch",
        "softmax": "onnx",
        "pixels": "pillow",
        "caption": "pytorch",
    }
    assert [of_kind(kind).library for kind in KINDS] == ["onnx", *["pytorch"] * 3]
    assert of_kind("tagger", output="probabilities", **ONNX).library == "onnx"
    assert of_kind("timm_classifier").class_columns == ["m_x", "m_y"]
    assert shipped["softmax"].class_columns == ["softmax_sfw", "softmax_nsfw"]
    assert shipped["clip"].class_columns == of_kind("tagger").class_columns == []
    assert shipped["caption"].text_column == "caption_text"
    assert of_kind("coca_captioner").text_column == "m_text"
    assert shipped["clip"].text_column is None


def test_the_class_of_a_timm_classifier_can_be_a_score_of_safety(tmp_path):
    conf = copy_conf(tmp_path)
    values = {"name": "ai_check", "kind": "timm_classifier", **WHEN, **KINDS["timm_classifier"]}
    (conf / "metrics" / "ai_check.yaml").write_text(yaml.safe_dump(values))
    scores = [{"column": "ai_check_x", "at_least": 0.5}]
    change(conf / "safety.yaml", ai__scores=scores)
    assert load_project(conf, "local").metrics["ai_check"].kind == "timm_classifier"
    change(conf / "metrics" / "ai_check.yaml", on="representatives")  # not every image has it
    with pytest.raises(ConfigError, match="no class of a classifier named 'ai_check_x'"):
        load_project(conf, "local")
