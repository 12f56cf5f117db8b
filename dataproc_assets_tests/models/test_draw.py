import json

import numpy as np
import pytest
import torch
from safetensors.torch import save

from dataproc_assets.models.denoiser import Denoiser
from dataproc_assets.models.draw import About, draw, drawn_latents, from_file, to_file
from dataproc_assets.models.noise import noise
from dataproc_assets.models.vae import load_vae
from dataproc_assets_tests.denoisers import small_config
from dataproc_assets_tests.jobs.encoding import drawn_vae


@pytest.fixture(scope="module")
def vae_config(tmp_path_factory):
    return drawn_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture
def model() -> Denoiser:
    torch.manual_seed(2)
    made = Denoiser(small_config(), 4)
    made.foretold.copy_(noise(tuple(made.foretold.shape), "foretold"))
    return made.eval()


@pytest.fixture
def data(model, vae_config) -> bytes:
    return to_file(model, About("small", "plain", 4, model.config, vae_config))


def test_a_file_gives_the_model_back(model, data, vae_config):
    again, about = from_file(data, "here")
    assert (about.release, about.recipe, about.vae) == ("small", "plain", vae_config)
    assert about.denoiser == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert to_file(again, about) == data


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"no tensors at all, and not a header either",
        lambda data: data[:200],
        lambda data: data[:-8],
        lambda data: save({"weight": torch.zeros(2)}),
        lambda data: save({"weight": torch.zeros(2)}, {"about": json.dumps({"release": "x"})}),
        lambda data: (1 << 40).to_bytes(8, "little") + data[8:],
        lambda data: (2).to_bytes(8, "little") + b"[]",
        lambda data: save({"weight": torch.zeros(2)}, {"about": "[]"}),
        lambda data: data.replace(b'channels\\": 4', b'channels\\": 5'),
        lambda data: data.replace(b'width\\"', b'wider\\"'),  # of a version with other settings
    ],
)
def test_what_is_no_denoiser_is_told_with_the_next_step(data, spoil):
    with pytest.raises(ValueError, match=r"here: is no denoiser of this version .* make the asset"):
        from_file(spoil(data), "here")


def test_twice_the_guidance_goes_twice_as_far(model):
    """A network that was not trained gives nothing: the velocity is what the prompt foretells."""
    noisy, words = noise((1, 4, 8, 8), "noisy"), torch.ones(1, 64)
    without = drawn_latents(model, noisy, words, 0.0, 4)
    torch.testing.assert_close(without, noisy)
    one, two = (drawn_latents(model, noisy, words, guidance, 4) for guidance in (1.0, 2.0))
    torch.testing.assert_close(two - noisy, 2 * (one - noisy), rtol=1e-4, atol=1e-4)


def test_prompt_and_seed_decide_the_picture(model, vae_config):
    vae = load_vae(vae_config)

    def drawn(prompt: str, seed: int, guidance: float = 3.0) -> np.ndarray:
        given = {"size": (96, 64), "guidance": guidance, "steps": 2}
        return draw(model, vae, prompt, seed=seed, **given)

    first = drawn("red", 1)
    assert first.shape == (64, 96, 3) and first.dtype == np.uint8
    assert np.array_equal(first, drawn("red", 1))
    assert not np.array_equal(first, drawn("blue", 1))
    assert not np.array_equal(first, drawn("red", 2))
    assert np.array_equal(drawn("red", 1, 0.0), drawn("blue", 1, 0.0))


@pytest.mark.parametrize("size", [(0, 64), (64, 8), (64, 72), (-64, 64)])
def test_a_size_that_is_not_made_of_patches_is_refused(model, vae_config, size):
    with pytest.raises(ValueError, match="multiples of 16 pixels"):
        draw(model, load_vae(vae_config), "", size=size, guidance=1.0, steps=1, seed=0)
