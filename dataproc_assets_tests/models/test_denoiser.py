import pytest
import torch

from dataproc_assets.models.denoiser import Denoiser, shifted
from dataproc_assets.models.noise import noise
from dataproc_assets_tests.denoisers import small_config


@pytest.fixture
def model() -> Denoiser:
    """A denoiser that foretells something of a prompt."""
    torch.manual_seed(1)
    made = Denoiser(small_config(), 4)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    made.foretold.copy_(noise(tuple(made.foretold.shape), "foretold"))
    made.usual_words.fill_(0.01)
    return made.eval()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 12), (2, 30)])
def test_the_velocity_has_the_shape_of_the_latent(model, height, width):
    noisy = noise((3, 4, height, width), "noisy")
    time = torch.tensor([0.1, 0.5, 1.0])
    assert model(noisy, time).shape == noisy.shape
    words = torch.ones(3, 64)
    assert model.velocity(noisy, time, words, 2.0).shape == noisy.shape


def test_an_image_does_not_depend_on_its_neighbours_in_a_batch(model):
    noisy, time = noise((3, 4, 8, 8), "noisy"), torch.tensor([0.2, 0.6, 0.9])
    together = model(noisy, time)
    for place in range(3):
        alone = model(noisy[place : place + 1], time[place : place + 1])
        torch.testing.assert_close(together[place], alone[0])


def test_where_a_patch_lies_makes_a_difference(model):
    patch = noise((1, 4, 2, 2), "patch")
    even = patch.repeat(1, 1, 4, 4)
    velocity = model(even, torch.tensor([0.5]))[0, :, 2:-2, 2:-2]
    assert not torch.allclose(velocity[:, :2, :2], velocity[:, 2:, 2:])


def test_a_prompt_without_words_is_as_no_prompt(model):
    noisy, time = noise((1, 4, 8, 8), "noisy"), torch.tensor([0.7])
    none = model.velocity(noisy, time, torch.ones(1, 64), 0.0)
    torch.testing.assert_close(model.velocity(noisy, time, torch.zeros(1, 64), 5.0), none)
    assert not torch.allclose(model.velocity(noisy, time, torch.ones(1, 64), 1.0), none)


def test_a_prompt_counts_for_all_in_noise_and_for_nothing_in_an_image(model):
    time = torch.linspace(0, 1, 11)
    share = model.share(time, 8, 8)
    assert share[0] == 0 and share[-1] == 1
    assert (share.diff() > 0).all()
    assert (model.share(time[1:-1], 32, 32) < share[1:-1]).all()  # more positions show more


def test_latents_and_their_normal_form_are_each_others_inverse(model):
    model.mean.fill_(2.0)
    model.deviation.fill_(3.0)
    latents = noise((2, 4, 8, 8), "latents")
    torch.testing.assert_close(model.latents(model.normal(latents)), latents)


def test_shifted_times_lie_nearer_the_noise():
    times = torch.linspace(0, 1, 9)
    moved = shifted(times, 3.0)
    assert moved[0] == 0 and moved[-1] == 1 and (moved.diff() > 0).all()
    assert (moved[1:-1] > times[1:-1]).all()
    torch.testing.assert_close(shifted(times, 1.0), times)
