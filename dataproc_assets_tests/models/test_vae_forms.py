"""An autoencoder in each form that files of one come in: it computes the same in all."""

import copy
import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from huggingface_hub import constants
from safetensors.torch import save_file

from dataproc_assets.config.weights import Folder
from dataproc_assets.models.vae import load_vae
from dataproc_assets.models.weights import WeightsError
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.models.drawn import (
    SMALL_VAE,
    drawn_vae,
    ldm_names,
    old_names,
    vae_config,
    vae_file,
    vae_folder,
)
from dataproc_assets_tests.models.hub import COMMIT

PICTURES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def model() -> AutoencoderKL:
    return drawn_vae(SMALL_VAE)


@pytest.fixture(scope="module")
def expected(model) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents and pictures, one by one and channels-last as on any CPU."""
    model = copy.deepcopy(model).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        latents = [model.encode(one[None]).latent_dist.mode() for one in PICTURES]
        pictures = [model.decode(one).sample.clamp(-1, 1) for one in latents]
    return torch.cat(latents), torch.cat(pictures)


def same(config, expected) -> bool:
    vae = load_vae(config)
    latents = vae.encode(PICTURES)
    return torch.equal(latents, expected[0]) and torch.equal(vae.decode(latents), expected[1])


def test_the_drawn_model_tells_its_tensors_apart(expected):
    other = drawn_vae(SMALL_VAE, seed=1)
    with torch.inference_mode():
        assert not torch.allclose(other.encode(PICTURES).latent_dist.mode(), expected[0])


def test_a_file_with_the_names_of_diffusers(tmp_path, model, expected):
    assert same(vae_file(tmp_path, SMALL_VAE, model.state_dict()), expected)


def test_a_file_with_the_names_of_ldm(tmp_path, model, expected):
    names = ldm_names(model)
    assert "encoder.down.0.block.0.conv1.weight" in names
    assert "decoder.up.1.upsample.conv.weight" in names
    assert names["encoder.mid.attn_1.q.weight"].shape == (16, 16, 1, 1)
    assert same(vae_file(tmp_path, SMALL_VAE, names), expected)


def test_a_whole_checkpoint_with_other_models_in_it(tmp_path, model, expected):
    whole = {f"first_stage_model.{name}": tensor for name, tensor in ldm_names(model).items()}
    whole |= {
        "conditioner.embedders.0.transformer.text_model.encoder.layers.0.mlp.fc1.bias": whole[
            "first_stage_model.encoder.conv_in.bias"
        ].clone(),
        "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(2),
        "first_stage_model.loss.discriminator.main.0.weight": torch.zeros(2),
    }
    assert same(vae_file(tmp_path, SMALL_VAE, whole), expected)


def test_a_folder_as_diffusers_saves_it(tmp_path, model, expected):
    model.save_pretrained(tmp_path)
    assert same(vae_folder(tmp_path, SMALL_VAE), expected)


def test_a_folder_from_before_attention_was_renamed(tmp_path, model, expected):
    model.save_pretrained(tmp_path)
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    names = old_names(model)
    assert "encoder.mid_block.attentions.0.proj_attn.weight" in names
    save_file(names, weights)
    assert same(vae_folder(tmp_path, SMALL_VAE), expected)
    by_diffusers = AutoencoderKL.from_pretrained(tmp_path, local_files_only=True)
    by_diffusers = by_diffusers.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        theirs = by_diffusers.encode(PICTURES[:1]).latent_dist.mode()
    assert torch.equal(theirs, expected[0][:1])


def test_half_precision_weights_compute_in_float32(tmp_path, model):
    half = {name: tensor.half() for name, tensor in model.state_dict().items()}
    rounded = {name: tensor.float() for name, tensor in half.items()}
    (tmp_path / "half").mkdir()
    latents = [
        load_vae(vae_file(tmp_path / name, SMALL_VAE, tensors)).encode(PICTURES)
        for name, tensors in (("half", half), ("rounded", rounded))
    ]
    assert latents[0].dtype == torch.float32
    assert torch.equal(*latents)


def test_weights_of_another_architecture_are_said_in_one_line(tmp_path, model):
    wider = SMALL_VAE | {"block_out_channels": [8, 24]}
    with pytest.raises(WeightsError) as error:
        load_vae(vae_file(tmp_path, wider, ldm_names(model)))
    said = str(error.value)
    assert said.startswith("conf/vaes/drawn.yaml: weights: ")
    assert "of another shape: " in said
    assert "instead of [24" in said
    assert "more. These are not the weights of" in said
    assert len(said) < 600


def test_a_file_of_something_else_is_said_in_one_line(tmp_path):
    with pytest.raises(WeightsError, match=r"encoder.* and \d+ more; not the model.s: a, b\."):
        load_vae(vae_file(tmp_path, SMALL_VAE, {"a": torch.zeros(1), "b": torch.zeros(1)}))


def test_a_folders_digest_is_checked_file_by_file(tmp_path, model):
    model.save_pretrained(tmp_path)
    config = vae_folder(tmp_path, SMALL_VAE)
    (tmp_path / "config.json").write_text(json.dumps(SMALL_VAE | {"sample_size": 64}))
    with pytest.raises(WeightsError, match=r"drawn\.yaml: folder: .*config\.json has sha256"):
        load_vae(config)


def test_a_folder_on_s3_is_fetched_file_by_file(tmp_path, model, expected, s3_url, monkeypatch):
    monkeypatch.setenv("DATAPROC_WEIGHTS", str(tmp_path / "cache"))
    model.save_pretrained(tmp_path / "vae")
    local = vae_folder(tmp_path / "vae", SMALL_VAE)
    assert local.folder is not None
    for file in local.folder.files().values():
        ObjectStore(s3_url).put_file(Path(file.uri).name, Path(file.uri))
    folder = local.folder.model_copy(update={"uri": s3_url})
    assert same(local.model_copy(update={"folder": folder}), expected)
    assert len(list((tmp_path / "cache").glob("*.json"))) == 1


def test_a_folder_of_the_hub_is_read_from_its_cache(tmp_path, model, expected, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--owner--vae" / "snapshots" / COMMIT / "below"
    config = vae_config(
        SMALL_VAE, name="drawn", folder=Folder(uri="hf://owner/vae/below", revision=COMMIT)
    )
    with pytest.raises(WeightsError, match=r"drawn\.yaml: folder: .*below/config\.json is not in"):
        load_vae(config)
    model.save_pretrained(snapshot)
    assert same(config, expected)
