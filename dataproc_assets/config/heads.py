"""Small networks on an embedding."""

from typing import Literal

from dataproc_assets.config.weights import File


class Head(File):
    """One number from an embedding: a file of safetensors and how its layers are put together.

    `linear` has the tensors `weight` [1, dimensions] and `bias` [1]; `mlp` has them numbered, as
    torch's `nn.Sequential` saves them. `activation` stands between the layers, `output` after
    the last. The file's metadata says under `encoder` the sha256 of the weights whose embeddings
    it was trained on; `any_encoder` is for a file that does not say it.
    """

    kind: Literal["linear", "mlp"] = "linear"
    activation: Literal["none", "relu", "gelu", "silu"] = "none"
    output: Literal["none", "sigmoid"] = "none"
    any_encoder: bool = False
