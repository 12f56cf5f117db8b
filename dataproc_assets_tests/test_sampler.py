import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dataproc_assets.config.project import CONF
from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.models.weights import WeightsError
from dataproc_assets.release.denoiser import WEIGHTS
from dataproc_assets.release.manifest import FileEntry, read_manifest
from dataproc_assets.sampler import Sampler, parse_size, refuse
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import denoiser_path, latents_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets_tests.denoisers import trained
from dataproc_assets_tests.stores import copied

__all__ = ["trained"]  # a fixture
SAFETY = read_yaml(CONF / "safety.yaml", SafetyConfig)
FOLDER = denoiser_path("small")


@pytest.fixture(scope="module")
def sampler(trained: ObjectStore) -> Sampler:
    return Sampler(trained, "small", SAFETY)


@pytest.fixture
def changed(trained: ObjectStore, tmp_path) -> ObjectStore:
    """The same store, the test's own."""
    return copied(trained, ObjectStore(str(tmp_path)))


def pixels(picture: Image.Image) -> list[int]:
    return np.asarray(picture).ravel().tolist()


def test_what_is_not_given_is_as_the_release_says(sampler: Sampler):
    assert sampler.sizes == [(64, 64), (96, 64)]  # the one of most images first
    drawn = sampler.draw("1girl, red")
    assert drawn.size == (64, 64)
    asked = sampler.draw("1girl, red", size=(64, 64), guidance=3.0, steps=2, seed=0)
    assert pixels(drawn) == pixels(asked)


@pytest.mark.parametrize(
    "other", [{"prompt": "blue"}, {"seed": 1}, {"guidance": 1.0}, {"guidance": 0.0}, {"steps": 3}]
)
def test_each_value_makes_a_difference(sampler: Sampler, other: dict):
    given: dict = {"prompt": "1girl, red"}
    assert pixels(sampler.draw(**given)) != pixels(sampler.draw(**given | other))


def test_a_size_that_cannot_be_drawn_is_told(sampler: Sampler):
    assert sampler.side_step == 16
    assert sampler.draw("", size=(96, 64)).size == (96, 64)
    with pytest.raises(ValueError, match="100x64: both sides must be multiples of 16 pixels"):
        sampler.draw("", size=(100, 64))


def test_without_the_latents_a_size_has_to_be_given(changed: ObjectStore):
    changed.delete(f"{latents_path('small')}/manifest.json")
    sampler = Sampler(changed, "small", SAFETY)
    with pytest.raises(FileNotFoundError, match=r"its latents are gone; give a size"):
        sampler.draw("red")
    assert sampler.draw("red", size=(64, 64)).size == (64, 64)


def test_where_no_denoiser_was_trained_the_next_step_is_told(trained: ObjectStore):
    with pytest.raises(FileNotFoundError, match=r"denoisers/other: no denoiser .*`dataproc run`"):
        Sampler(trained, "other", SAFETY)


def test_changed_weights_are_not_loaded(changed: ObjectStore):
    manifest = read_manifest(changed, FOLDER)
    assert manifest is not None
    path = f"{manifest.root}/{WEIGHTS}"
    data = bytearray(changed.get(path))
    data[-1] ^= 1
    changed.put(path, bytes(data))
    with pytest.raises(ChangedFileError, match=r"model\.safetensors is not the file that was"):
        Sampler(changed, "small", SAFETY)


def published(store: ObjectStore, weights: bytes) -> None:
    """Other weights, of which the manifest knows."""
    manifest = read_manifest(store, FOLDER)
    assert manifest is not None
    store.put(f"{manifest.root}/{WEIGHTS}", weights)
    entry = FileEntry(bytes_digest(weights), len(weights), None)
    files = {**manifest.files, WEIGHTS: entry}
    store.put(f"{FOLDER}/manifest.json", replace(manifest, files=files).to_json())


def weights_of(store: ObjectStore) -> bytes:
    manifest = read_manifest(store, FOLDER)
    assert manifest is not None
    return store.get(f"{manifest.root}/{WEIGHTS}")


def test_weights_of_another_version_are_told_with_their_place(changed: ObjectStore):
    published(changed, weights_of(changed).replace(b'patch\\"', b'patsh\\"'))
    with pytest.raises(ValueError, match=r"denoisers/small: model\.safetensors: is no denoiser of"):
        Sampler(changed, "small", SAFETY)


def test_a_vae_that_is_another_one_is_refused(changed: ObjectStore):
    data = weights_of(changed)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    about = json.loads(header["__metadata__"]["about"])
    about["vae"]["weights"]["sha256"] = "0" * 64
    header["__metadata__"]["about"] = json.dumps(about)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    published(changed, len(text).to_bytes(8, "little") + text + data[8 + size :])
    with pytest.raises(WeightsError):
        Sampler(changed, "small", SAFETY)


@pytest.mark.parametrize(
    "prompt",
    [
        "1girl, loli, smile",
        "a drawing of two LOLIS",
        "lolicon",
        "l\u200boli",
        "ロリ巨乳, ロリ",
        "child, explicit",
        "nsfw, aged down, 1girl",
        "children ||| rating: questionable",
        "forbiddenword",  # of conf/safety.yaml
    ],
)
def test_what_is_never_released_is_not_drawn(sampler: Sampler, prompt: str):
    with pytest.raises(ValueError, match="asks for what is never released; it is not drawn"):
        sampler.draw(prompt)


@pytest.mark.parametrize(
    "prompt", ["", "1girl, lolita fashion", "child, smile", "1girl, explicit", "animal, safe"]
)
def test_what_is_released_may_be_drawn(prompt: str):
    refuse(prompt, SAFETY)


@pytest.mark.parametrize(
    ("given", "prompt"),
    [({"never_tags": ["grue"]}, "a grue"), ({"child_tags": ["grue"]}, "grue, nsfw")],
)
def test_the_configuration_adds_to_what_is_not_drawn(given: dict, prompt: str):
    refuse(prompt, SAFETY)
    with pytest.raises(ValueError, match="never released"):
        refuse(prompt, SAFETY.model_copy(update=given))


def test_sizes_are_width_and_height():
    assert parse_size("256x320") == (256, 320)
    for wrong in ("", "256", "256x", "x256", "-1x4", "2.5x4", "256x320x3", "256 x 320"):
        with pytest.raises(ValueError, match="is no size; give width and height"):
            parse_size(wrong)
