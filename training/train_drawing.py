"""The classifier of drawing kinds: linear heads on the embedding.

    python -m training.train_drawing --material DIR --cache DIR --out dataproc_assets/models/weights

Reads the cache of `training.features` and `clip.safetensors`; writes `drawing.safetensors`, whose
classes are those of `measure_drawing`.
"""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from training.command import ask_paths
from training.corpus import read_pictures
from training.embed import Encoder
from training.measure_drawing import KINDS, kinds

DECAY = 1e-5


def softmax_regression(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [classes, d] and biases [classes] for x [n, d] and classes y [n], by L-BFGS.

    A class weighs as the root of how rare it is.
    """
    inputs, target = torch.tensor(x, dtype=torch.float64), torch.tensor(y)
    rare = torch.bincount(target, minlength=len(KINDS)).double().clamp_min(1) ** -0.5
    layer = torch.nn.Linear(x.shape[1], len(KINDS), dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = cross_entropy(layer(inputs), target, weight=rare)
        value = value + DECAY * layer.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def main() -> None:
    """Runs the command in the module's first lines."""
    asked = ask_paths(__doc__, "material", "cache", "out")
    torch.set_num_threads(1)
    pictures, encoder = read_pictures(asked.cache), Encoder(asked.out)
    x = encoder.pictures(pictures.views["original"])
    rows = kinds(pictures.rows.with_row_index("row"), asked.material)
    place = {kind: index for index, kind in enumerate(KINDS)}
    chosen = {}
    for fold in ("training", "validation"):
        part = rows.filter(fold=fold)
        chosen[fold] = x[part["row"].to_numpy()], np.array([place[kind] for kind in part["kind"]])
    weight, bias = softmax_regression(*chosen["training"])
    held, truth = chosen["validation"]
    right = ((held @ weight.T + bias).argmax(1) == truth).mean()
    encoder.save(
        asked.out / "drawing.safetensors",
        weight=weight.astype(np.float32),
        bias=bias.astype(np.float32),
    )
    print(f"{len(chosen['training'][1])} pictures; validation accuracy {right:.3f}")


if __name__ == "__main__":
    main()
