"""The tensors of a safetensors file as numpy arrays, and the encoder they were trained on."""

import json

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from dataproc_assets.config.weights import File
from dataproc_assets.models.weights import fault, read_verified


def read_tensors(file: File, where: str) -> tuple[dict[str, np.ndarray], str | None]:
    """A file's tensors by name, floats as float32, and what its metadata says under `encoder`.

    Raises:
        WeightsError: the file is missing, has another digest, is not of safetensors, or holds a
            type that numpy has not.
    """
    content = read_verified(file, where)
    try:
        tensors = load(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise fault(
            file,
            where,
            f"{file.uri} is no safetensors file that numpy reads ({error}); save its tensors in "
            "float16 or float32 with safetensors",
        ) from error
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    floats = {
        name: tensor.astype(np.float32) if tensor.dtype.kind == "f" else tensor
        for name, tensor in tensors.items()
    }
    return floats, header.get("__metadata__", {}).get("encoder")


def tensors_for(
    file: File, encoder: File, where: str, *, any_encoder: bool = False
) -> dict[str, np.ndarray]:
    """Tensors of a file made for one encoder, whose digest the file's metadata names.

    `any_encoder` takes a file that names none.

    Raises:
        WeightsError: as `read_tensors`, or made for another encoder, or for one it does not say.
    """
    tensors, made_for = read_tensors(file, where)
    wrong = ""
    if made_for is None and not any_encoder:
        wrong = (
            "does not say which encoder it was trained on; write its sha256 into the file's "
            "metadata under `encoder`, or, when you know that it is encoder.weights, "
            "`any_encoder: true` beside a head's uri"
        )
    elif made_for is not None and encoder.sha256 is None:
        wrong = (
            f"was made for the encoder {made_for}; give encoder.weights that sha256, so that it "
            "is certain to be the one"
        )
    elif made_for is not None and made_for != encoder.sha256:
        wrong = (
            f"was made for the encoder {made_for}, but encoder.weights is {encoder.sha256}; "
            "train it again on these embeddings"
        )
    if wrong:
        raise fault(file, where, f"{file.uri} {wrong}")
    return tensors
