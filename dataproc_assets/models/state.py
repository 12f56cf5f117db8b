"""Tensors of a file put into a torch model, every one of them and no other."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from dataproc_assets.config.weights import File
from dataproc_assets.models.weights import WeightsError, read_verified

_SHOWN = 3
_WRAPPED = ("model.", "module.", "backbone.", "_orig_mod.", "state_dict.")


def load_float32(model: torch.nn.Module, weights: File, where: str) -> None:
    """Fill a model from safetensors of any float type, in float32 and evaluation mode.

    Raises:
        WeightsError: the file cannot be used, or its tensors are not the model's; the message
            names the first few and the likely reason.
    """
    content = read_verified(weights, where)
    try:
        tensors = load(content)
    except (SafetensorError, KeyError) as error:
        raise WeightsError(f"{where}: {weights.uri} is no safetensors file: {error}") from error
    fault = _mismatch(model.state_dict(), tensors)
    if fault:
        raise WeightsError(f"{where}: {weights.uri} does not fit the model: {fault}")
    model.float()
    model.load_state_dict(tensors, strict=True)  # copies, and so converts, into float32
    model.eval()


def _mismatch(wanted: dict[str, torch.Tensor], given: dict[str, torch.Tensor]) -> str:
    """What is wrong and why that may be; empty when all names and shapes are right."""
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    both = [name for name in wanted if name in given]
    other = [name for name in both if wanted[name].shape != given[name].shape]
    found = {
        "missing": missing,
        "not the model's": unknown,
        "of another shape": [
            f"{name} {list(given[name].shape)} instead of {list(wanted[name].shape)}"
            for name in other
        ],
    }
    said = "; ".join(f"{what}: {_some(names)}" for what, names in found.items() if names)
    return f"{said}. {_reason(missing, unknown, other)}" if said else ""


def _reason(missing: list[str], unknown: list[str], other: list[str]) -> str:
    prefix = next((p for p in _WRAPPED if unknown and all(k.startswith(p) for k in unknown)), "")
    if prefix and {name.removeprefix(prefix) for name in unknown} >= set(missing):
        return f"It was saved inside another module: take {prefix!r} from its names"
    if other and not missing and not unknown:
        return (
            "The architecture is right, its sizes are not: another number of outputs, another "
            "side of the picture or other model_args"
        )
    return "It is of another architecture, or was built with other model_args"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
