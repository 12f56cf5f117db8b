from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.jobs.foretell import Example, Foretelling, ridge
from dataproc_assets.models.denoiser import Denoiser, shifted
from dataproc_assets.models.noise import noise
from dataproc_assets.models.prompt_words import prompt_words
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.denoisers import made_samples, small_config


def examples(store: ObjectStore, count: int = 40, *, told: bool = True) -> list[Example]:
    found = []
    for row in made_samples(store, count, told=told).iter_rows(named=True):
        data = read_address(row["uri"], row["offset"], row["length"])
        latent = torch.from_numpy(np.load(BytesIO(data)))
        found.append(Example(row["image_id"], latent / 2, row["prompts"]))
    return found


def network(**changes) -> Denoiser:
    torch.manual_seed(3)
    model = Denoiser(small_config(**changes), 4)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


@pytest.fixture
def store(tmp_path) -> ObjectStore:
    return ObjectStore(str(tmp_path))


def test_the_losses_are_those_of_the_velocities(store):
    """What is computed by a quadratic form, computed once more by drawing each velocity."""
    model = network()
    *seen, image = examples(store, 21)
    foretelling = Foretelling(model, seen)
    foretelling.tell()
    found = foretelling.losses(image)
    time = shifted((torch.arange(4) + 0.5) / 4, 3.0)
    noisy = noise((4, *image.normal.shape), 7, "held out", image.image_id)
    at = time[:, None, None, None]
    mixed, wanted = (1 - at) * image.normal + at * noisy, noisy - image.normal
    with torch.inference_mode():
        none = (model(mixed, time) - wanted).square().mean()
        each = []
        for prompt in image.prompts:
            words = torch.from_numpy(prompt_words([prompt], 64))
            each.append((model.velocity(mixed, time, words, 1.0) - wanted).square().mean())
    assert found.none == pytest.approx(none.item(), rel=1e-5)
    assert found.true == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_a_shuffled_training_is_one_on_images_with_others_prompts(store):
    model = network(shuffles=2)
    *seen, image = examples(store, 21)
    foretelling = Foretelling(model, seen)
    foretelling.tell()
    order = foretelling._dealt(1)
    assert sorted(order) == list(range(len(seen))) != order.tolist()
    assert order.tolist() != foretelling._dealt(0).tolist()
    dealt = [
        Example(one.image_id, seen[other].normal, one.prompts)
        for one, other in zip(seen, order, strict=True)
    ]
    again = network(shuffles=1)
    shuffled = Foretelling(again, dealt)
    shuffled.tell()
    assert foretelling.losses(image).shuffled[1] == pytest.approx(shuffled.losses(image).true)


def test_prompts_that_tell_something_beat_shuffled_ones_and_others_do_not(store):
    for told in (True, False):
        model = network(shuffles=19)
        every = examples(store, 80, told=told)
        foretelling = Foretelling(model, every[20:])
        foretelling.tell()
        losses = [foretelling.losses(image) for image in every[:20]]
        true = np.mean([loss.true for loss in losses])
        shuffled = np.mean([loss.shuffled for loss in losses], 0)
        none = np.mean([loss.none for loss in losses])
        if told:
            assert true < shuffled.min() and true < none
        else:
            assert shuffled.min() < true < shuffled.max()


def test_an_image_without_tags_is_measured_as_without_a_prompt(store):
    *seen, image = examples(store, 13)
    foretelling = Foretelling(network(), seen)
    foretelling.tell()
    found = foretelling.losses(Example(image.image_id, image.normal, [""]))
    assert {found.none, found.true, *found.shuffled} == {found.none}


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.01, 100))
def test_the_ridge_is_the_least_of_what_it_is_to_make_small(rows, columns, strength):
    draws = np.random.default_rng(rows * 13 + columns)
    features, targets = draws.normal(size=(rows, columns)), draws.normal(size=(rows, 2))
    found = ridge(features, strength) @ targets
    penalty = strength * (features**2).sum(1).mean()
    slope = features.T @ (features @ found - targets) + penalty * found
    assert np.abs(slope).max() < 1e-8 * max(1, penalty)


def test_prompts_that_are_all_alike_foretell_nothing():
    assert not ridge(np.zeros((3, 5)), 1.0).any()
