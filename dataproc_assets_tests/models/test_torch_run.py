import copy
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from dataproc_assets.models.load import load_model
from dataproc_assets.models.torch_run import autocast, forward_of
from dataproc_assets_tests.models.pictures import decoded, metric, scene

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
BATCH = np.linspace(-1, 1, 2 * 3 * 8 * 8, dtype=np.float32).reshape(2, 3, 8, 8)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.GELU(), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(288, 5)).eval()


def test_a_cpu_computes_in_float32_whatever_is_allowed():
    full, half = (
        forward_of(network(), "cpu", precision, compiled=False)(BATCH)
        for precision in ("float32", "bfloat16")
    )
    assert half.dtype == torch.float32
    assert torch.equal(full, half)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU tests cover it there")
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert isinstance(autocast("cuda", "bfloat16"), nullcontext)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert isinstance(autocast("cuda", "float32"), nullcontext)
    with pytest.warns(UserWarning, match="CUDA is not available"):
        asked = autocast("cuda", "bfloat16")
    assert isinstance(asked, torch.autocast)
    assert asked.fast_dtype == torch.bfloat16


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
def test_a_compiled_network_computes_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    model = network()
    compiled = forward_of(copy.deepcopy(model), "cpu", "float32", compiled=True)(BATCH)
    eager = forward_of(model, "cpu", "float32", compiled=False)(BATCH)
    assert list(tmp_path.iterdir())  # something was compiled
    assert torch.allclose(compiled, eager, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
@pytest.mark.parametrize("name", ["clip", "tagger"])
def test_a_compiled_metric_gives_nearly_the_same(name, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    eager, compiled = (load_model(metric(name), compiled=on).backbone for on in (False, True))
    shown = eager.preprocess(decoded(scene(1)))[None]
    one, other = (backbone.run(shown).astype(np.float64) for backbone in (eager, compiled))
    assert list(tmp_path.iterdir())
    assert np.abs(one - other).max() < 1e-3


@pytest.mark.slow
def test_a_machine_without_a_compiler_says_what_to_do(tmp_path):
    code = """
import numpy, torch
from dataproc_assets.models.torch_run import forward_of
forward_of(torch.nn.GELU(), "cpu", "float32", compiled=True)(numpy.ones((2, 8), "f4"))
"""
    nowhere = {"PATH": str(tmp_path), "CXX": "/no/compiler", "CC": "/no/compiler"}
    place = {**os.environ, **nowhere, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=place, check=False, capture_output=True, text=True
    )
    assert "CompileError: runner.compile is on" in done.stderr
    assert "install a C++ compiler such as g++, or say `compile: false`" in done.stderr


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_in_bfloat16_gives_nearly_the_embeddings_of_float32(compiled):
    clip = metric("clip")
    half = clip.model_copy(
        update={"encoder": clip.encoder.model_copy(update={"precision": "bfloat16"})}
    )
    full = load_model(clip, "cuda").backbone
    fast = load_model(half, "cuda", compiled=compiled).backbone
    shown = np.stack([full.preprocess(decoded(scene(seed))) for seed in range(3)])
    one, other = (backbone.run(shown).astype(np.float64) for backbone in (full, fast))
    assert (one * other).sum(1).min() > 0.99
