"""The training of a denoiser's network, on latents alone."""

from collections.abc import Callable, Iterator, Sequence

import torch
import xxhash

from dataproc_assets.jobs.foretell import Example
from dataproc_assets.models.denoiser import Denoiser, shifted
from dataproc_assets.models.noise import generator

WARM = 20  # steps until the learning rate is whole
LONGEST = 1.0  # of a step's gradient
BETAS = (0.9, 0.95)
SHOWN = 40  # points of the loss curve, each the mean since the last one

Curve = list[tuple[int, float]]


def train(
    model: Denoiser, examples: Sequence[Example], device: str, on_step: Callable[[], None]
) -> Curve:
    """Fit the network and leave it with the average of its weights, on the CPU.

    The initial weights, batches, times and noises follow from the seed: two trainings on the same
    examples differ in nothing, on the same kind of machine and with the same number of threads.

    Returns the mean loss by step.
    """
    config = model.config
    model.to(device).train()
    flat = [p for p in model.parameters() if p.ndim < 2]
    kernels = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": kernels}, {"params": flat, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, betas=BETAS
    )
    averages = {name: value.detach().clone() for name, value in model.named_parameters()}
    draws = generator(config.seed, "steps")
    curve: Curve = []
    since: list[float] = []
    batches = _batches(examples, config.batch_size, config.seed)
    for step in range(1, config.steps + 1):
        loss = _loss(model, torch.stack([e.normal for e in next(batches)]), draws, device)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1, step / WARM) * (1 - step / config.steps)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), LONGEST)
        optimizer.step()
        kept = min(config.average, step / (step + 9))
        for name, value in model.named_parameters():
            averages[name].lerp_(value.detach(), 1 - kept)
        since.append(loss.item())
        if step % max(1, config.steps // SHOWN) == 0 or step == config.steps:
            curve.append((step, sum(since) / len(since)))
            since = []
        on_step()
    model.load_state_dict(averages, strict=False)
    model.to("cpu").eval()
    return curve


def _loss(
    model: Denoiser, normal: torch.Tensor, draws: torch.Generator, device: str
) -> torch.Tensor:
    time = shifted(torch.rand(len(normal), generator=draws), model.config.shift)
    noise = torch.randn(normal.shape, generator=draws)
    at = time[:, None, None, None]
    velocity = model(((1 - at) * normal + at * noise).to(device), time.to(device))
    return torch.nn.functional.mse_loss(velocity, (noise - normal).to(device))


def _batches(examples: Sequence[Example], size: int, seed: int) -> Iterator[list[Example]]:
    """Batches of one shape, epoch after epoch, in an order by hash; the last of one is short."""
    epoch = 0
    while True:
        salt = f"{seed}\0epoch\0{epoch}\0"
        drawn = [
            (xxhash.xxh3_64_intdigest(f"{salt}{example.image_id}".encode()), example)
            for example in examples
        ]
        drawn.sort(key=lambda pair: (pair[0], pair[1].image_id))
        shapes: dict[tuple[int, ...], list[tuple[int, Example]]] = {}
        for pair in drawn:
            shapes.setdefault(tuple(pair[1].normal.shape), []).append(pair)
        cut = [
            pairs[first : first + size]
            for pairs in shapes.values()
            for first in range(0, len(pairs), size)
        ]
        for pairs in sorted(cut, key=lambda pairs: pairs[0][0]):
            yield [example for _, example in pairs]
        epoch += 1
