"""The score head: a picture against a symbol, an icon or a diagram, on the embedding.

    python -m training.train_score --cache DIR --out dataproc_assets/models/weights

Reads the cache of `training.features` and `clip.safetensors`; writes `score.safetensors`.
"""

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from training.command import ask_paths
from training.corpus import read_pictures
from training.embed import Encoder
from training.measure_score import LINE, area_under_curve, sides

SPREAD = 0.25  # score = LINE + SPREAD x (logit - the logit that MISSED of pictures miss)
MISSED = 0.015
DECAY = 3e-4


def logistic(x: np.ndarray, y: np.ndarray, importance: np.ndarray) -> tuple[np.ndarray, float]:
    """Weight [d] and bias of a weighted logistic regression, by full-batch L-BFGS."""
    inputs, target, weight = (torch.tensor(a, dtype=torch.float64) for a in (x, y, importance))
    layer = torch.nn.Linear(x.shape[1], 1, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = binary_cross_entropy_with_logits(layer(inputs)[:, 0], target, weight=weight)
        value = value + DECAY * layer.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return layer.weight.detach().numpy()[0], float(layer.bias)


def main() -> None:
    """Runs the command in the module's first lines."""
    asked = ask_paths(__doc__, "cache", "out")
    torch.set_num_threads(1)
    pictures, encoder = read_pictures(asked.cache), Encoder(asked.out)
    x = encoder.pictures(pictures.views["original"])
    side = sides(pictures.rows)
    chosen = pictures.of("training")[side[pictures.of("training")] >= 0]
    truth = side[chosen] == 1
    balance = np.where(truth, 1 / truth.mean(), 1 / (~truth).mean()) / 2
    weight, bias = logistic(x[chosen], truth, balance)
    logit = x[chosen] @ weight + bias
    offset = np.quantile(logit[truth], MISSED)
    weight, bias = weight * SPREAD, LINE + SPREAD * (bias - offset)
    encoder.save(
        asked.out / "score.safetensors",
        weight=weight[None].astype(np.float32),
        bias=np.array([bias], np.float32),
    )
    held = pictures.of("validation")[side[pictures.of("validation")] >= 0]
    found = area_under_curve(x[held] @ weight + bias, side[held] == 1)
    print(f"{truth.sum()} pictures, {(~truth).sum()} symbols; validation AUC {found:.3f}")


if __name__ == "__main__":
    main()
