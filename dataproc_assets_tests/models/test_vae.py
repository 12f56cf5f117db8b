import numpy as np
import pytest
import torch

from dataproc_assets.models.vae import load_vae
from dataproc_assets.models.weights import WeightsError
from dataproc_assets_tests.models.pictures import scene, vae

FLOOR = 18.0  # dB; the demo model has 26 on clip art, and less on these harsh colours


def picture(seed: int, width: int = 192, height: int = 128) -> torch.Tensor:
    array = np.asarray(scene(seed, width, height), np.float32) / 127.5 - 1
    return torch.from_numpy(array.transpose(2, 0, 1))


@pytest.fixture(scope="module")
def model():
    return load_vae(vae())


def test_a_round_trip_keeps_the_picture(model):
    x = torch.stack([picture(seed) for seed in range(3)])
    latents = model.encode(x)
    assert latents.shape == (3, 4, 16, 24)
    assert latents.dtype == torch.float32
    back = model.decode(latents)
    assert back.shape == x.shape

    def psnr(other: torch.Tensor) -> torch.Tensor:
        return -10 * ((x - other) / 2).square().mean(dim=(1, 2, 3)).log10()

    assert psnr(back).min() > FLOOR
    assert (psnr(back) > psnr(x.mean(dim=(2, 3), keepdim=True)) + 1).all()
    assert (psnr(back) > psnr(back.roll(1, 0)) + 3).all()


def test_a_latent_is_the_same_bits_in_any_company(model):
    x = torch.stack([picture(seed) for seed in range(4)])
    alone = torch.cat([model.encode(one[None]) for one in x])
    order = [2, 0, 3, 1]
    assert torch.equal(model.encode(x[order]), alone[order])
    assert torch.equal(model.encode(x), alone)


def test_a_side_that_is_no_multiple_is_refused(model):
    with pytest.raises(ValueError, match=r"100x128 pixels.*multiples of 8"):
        model.encode(torch.zeros(1, 3, 128, 100))


def test_an_architecture_other_than_the_yaml_says_is_refused():
    with pytest.raises(WeightsError, match=r"demo\.yaml.*4 channels and factor 8.*16 and 8"):
        load_vae(vae().model_copy(update={"channels": 16}))
    weights = vae().weights
    assert weights is not None
    wrong = weights.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(WeightsError, match=r"demo\.yaml: weights"):
        load_vae(vae().model_copy(update={"weights": wrong}))
