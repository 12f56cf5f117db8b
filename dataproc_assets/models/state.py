"""Tensors of a file put into a torch model, every one of them and no other.

A file is mapped, not read: its tensors take no memory of their own beside the model's, and become
float32 when they are copied into it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dataproc_assets.config.weights import File
from dataproc_assets.models.weights import fault, verified

_SHOWN = 3
_WRAPPED = ("model.", "module.", "backbone.", "_orig_mod.", "state_dict.")


@contextmanager
def open_tensors(file: File, where: str) -> Iterator[dict[str, torch.Tensor]]:
    """A verified file's tensors by name, on the CPU; to be used before the block ends.

    Raises:
        WeightsError: the file is missing, has other bytes or is not of safetensors.
    """
    with verified(file, where) as path:
        try:
            tensors = load_file(path)
        except (SafetensorError, KeyError) as error:
            raise fault(
                file, where, f"{file.uri} is no safetensors file: {error}; convert it to one"
            ) from error
        yield tensors


def load_float32(model: torch.nn.Module, weights: File, where: str) -> None:
    """Fill a model from safetensors of any float type, in float32 and evaluation mode.

    Raises:
        WeightsError: the file cannot be used, or its tensors are not the model's; the message
            names the first few and the likely reason.
    """
    with open_tensors(weights, where) as tensors:
        fill(model, tensors, weights, where)


def fill(
    model: torch.nn.Module,
    tensors: Mapping[str, torch.Tensor],
    file: File,
    where: str,
    otherwise: str = "",
) -> None:
    """Copy a file's tensors into a model, in float32, and set it to evaluation mode.

    `otherwise` is the likely reason of a mismatch that has no plainer one.

    Raises:
        WeightsError: the tensors are not the model's.
    """
    if wrong := _mismatch(model.state_dict(), tensors, otherwise):
        raise fault(file, where, f"{file.uri} does not fit the model: {wrong}")
    model.float()
    model.load_state_dict(dict(tensors), strict=True)  # copies, and so converts, into float32
    model.eval()


def _mismatch(
    wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], otherwise: str
) -> str:
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
    return f"{said}. {_reason(missing, unknown, other, otherwise)}" if said else ""


def _reason(missing: list[str], unknown: list[str], other: list[str], otherwise: str) -> str:
    prefix = next((p for p in _WRAPPED if unknown and all(k.startswith(p) for k in unknown)), "")
    if prefix and {name.removeprefix(prefix) for name in unknown} >= set(missing):
        return f"It was saved inside another module: take {prefix!r} from its names"
    if otherwise:
        return otherwise
    if other and not missing and not unknown:
        return (
            "The architecture is right, its sizes are not: another number of outputs, another "
            "side of the picture or other model_args"
        )
    return "It is of another architecture, or was built with other model_args"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
