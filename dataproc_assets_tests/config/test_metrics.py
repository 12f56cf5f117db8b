import subprocess
import sys

import pytest
from pydantic import ValidationError

from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.weights import File
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


def test_every_packaged_metric_has_its_own_fingerprint():
    names = ("clip", "softmax", "tagger", "pixels", "caption")
    prints = {fingerprint(metric(name)) for name in names} | {fingerprint(vae())}
    assert len(prints) == 6
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


def test_configuration_loads_no_torch():
    code = "import sys, dataproc_assets.config.metrics; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
