import numpy as np
import pytest

from dataproc_assets.config.metrics import OpenClip, RetrievalCaptioner
from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.models.tensors import tensors_for
from dataproc_assets.models.text_tower import TextTower
from dataproc_assets.models.weights import WeightsError, read_verified

PROJECT = load_project(CONF, "local")


@pytest.fixture(scope="module")
def tower() -> TextTower:
    metric = PROJECT.metrics["clip"]
    assert isinstance(metric, OpenClip)
    return TextTower(metric.encoder, "conf/metrics/clip.yaml")


def test_words_become_what_the_bank_of_captions_was_made_of(tower):
    """Its rows are the same captions, embedded when the model was trained."""
    metric = PROJECT.metrics["caption"]
    assert isinstance(metric, RetrievalCaptioner)
    bank = tensors_for(metric.bank, metric.encoder.weights, "bank")["embeddings"]
    captions = read_verified(metric.captions, "captions").decode().splitlines()
    for row in (0, 17, len(captions) - 1):
        found = tower(captions[row])
        assert found.dtype == np.float32 and abs(np.linalg.norm(found) - 1) < 1e-5
        assert found @ bank[row] > 0.999
        assert (bank @ found).argmax() == row


@pytest.mark.parametrize("words", ["", "猫", "a " * 500, "<script>\x00"])
def test_any_text_has_a_vector(tower, words):
    assert np.isfinite(tower(words)).all()


def test_weights_that_are_not_there_are_named(tmp_path):
    metric = PROJECT.metrics["clip"]
    assert isinstance(metric, OpenClip)
    lost = metric.encoder.weights.model_copy(update={"uri": str(tmp_path / "lost.safetensors")})
    encoder = metric.encoder.model_copy(update={"weights": lost})
    with pytest.raises(WeightsError, match=r"lost\.safetensors does not exist"):
        TextTower(encoder, "conf/metrics/clip.yaml")
