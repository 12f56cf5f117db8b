"""The demo autoencoder: four latent channels, a factor of eight; one CPU core takes 90 minutes.

    python -m training.train_vae --material DIR --out dataproc_assets/models/weights \
        [--steps N] [--device cpu|cuda] [--checkpoint FILE]

Reads `vae.json` of `--out` and writes `vae.safetensors` there. It learns from clip art of the
training creators alone, and prints the PSNR on crops of the validation creators as it goes. With
`--checkpoint`, what is needed to go on is kept there, and a run that was stopped goes on from it
to the same bytes. On a GPU it is faster and gives other bytes.
"""

import argparse
import json
from math import cos, log10, pi
from pathlib import Path
from time import monotonic

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch.nn.functional import avg_pool2d

from training.vae_pictures import SEED, SIZES, Pictures

STEPS = 16_000
RATE, WARM_UP = 2e-3, 300
LEVEL = 0.5  # the share of the steps at that rate; from there it falls to nothing
# (share of the steps, crops, side, sizes of the whole pictures): a layer's normalisation is over
# the whole picture, so the end of training must see nearly whole ones, and small, where lines are
# dense; the beginning need not, and learns from more crops.
PHASES = ((LEVEL, (6, 64, SIZES)), (0.75, (2, 128, SIZES)), (1.0, (1, 192, (128, 256))))
EDGES, SMALL = 0.25, 1e-4  # weights of the differences of neighbours, and of the latents' squares
# At first three latents are shown the mean colour of their 8 x 8 pixels: left alone, the network
# takes long to find that there is colour.
SHOWN_COLOUR = 1000  # steps, fading
REPORT = 500


def edges(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences of neighbours, across and down: lines are what a loss of pixels blurs first."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def distance(x: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """The root of each picture's mean squared error, averaged, and the L1 of edges.

    PSNR is a logarithm and squares favour the worst pictures; the root lies between the two.
    """
    loss = ((x - back).square().mean((1, 2, 3)) + 1e-5).sqrt().mean()
    for a, b in zip(edges(x), edges(back), strict=True):
        loss = loss + EDGES * (a - b).abs().mean()
    return loss


def phase(step: int, steps: int) -> tuple[int, int, tuple[int, int]]:
    """How many crops, of what side, of pictures of what sizes, a step sees."""
    return next(crops for end, crops in PHASES if step < end * steps)


def rate(step: int, steps: int) -> float:
    """The learning rate: a short rise, a level, then half a cosine to nothing.

    Up to the level's end nothing depends on `steps`: a checkpoint from there can go on to any sum.
    """
    fallen = max(0.0, (step / steps - LEVEL) / (1 - LEVEL))
    return RATE * min((step + 1) / WARM_UP, (1 + cos(pi * fallen)) / 2)


class Training:
    """The network, its optimiser, and how many steps were done."""

    def __init__(self, architecture: Path, device: str) -> None:
        torch.manual_seed(SEED)
        model = AutoencoderKL.from_config(json.loads(architecture.read_text()))
        assert isinstance(model, AutoencoderKL)
        # Channels last: a third fewer seconds a step on a CPU.
        self.model = model.to(device, memory_format=torch.channels_last)
        self.device = device
        self.optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=1e-3)
        self.done = 0

    def step(self, pictures: Pictures, steps: int) -> float:
        """One update. The posterior's mean is decoded: only the mean is ever stored."""
        x = pictures.batch(self.done, *phase(self.done, steps)).to(self.device)
        x = x.contiguous(memory_format=torch.channels_last)
        latents = self.model.encode(x).latent_dist.mode()
        back = self.model.decode(latents).sample
        loss = distance(x, back) + SMALL * latents.square().mean()
        shown = 1 - self.done / SHOWN_COLOUR
        if shown > 0:
            loss = loss + shown * (latents[:, :3] - 2 * avg_pool2d(x, 8)).square().mean()
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.done, steps)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.done += 1
        return ((x - back).detach() / 2).square().mean().item()

    def save(self, path: Path) -> None:
        """Write the checkpoint; a run killed meanwhile leaves the old one."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": t for name, t in state.items()}
        tensors = {name: t.contiguous() for name, t in tensors.items()}
        partial = path.with_suffix(".partial")
        save_file(tensors | {"done": torch.tensor(self.done)}, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        tensors = load_file(path, device=self.device)
        self.done = int(tensors.pop("done"))
        known = self.optimiser.state_dict()
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "optimiser":
                index, _, field = rest.partition(".")
                known["state"].setdefault(int(index), {})[field] = tensor
        self.optimiser.load_state_dict(known)
        self.model.load_state_dict(
            {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}
        )


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--checkpoint", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    training = Training(asked.out / "vae.json", asked.device)
    if asked.checkpoint and asked.checkpoint.exists():
        training.load(asked.checkpoint)
    pictures = Pictures(asked.material, "training")
    held = Pictures(asked.material, "validation").batch(0, 64, 128, SIZES).to(asked.device)
    start, errors = monotonic(), []
    while training.done < asked.steps:
        errors.append(training.step(pictures, asked.steps))
        if training.done % REPORT == 0 or training.done == asked.steps:
            with torch.inference_mode():
                back = [
                    training.model.decode(training.model.encode(x).latent_dist.mode()).sample
                    for x in held.split(1)
                ]
            error = ((held - torch.cat(back).clamp(-1, 1)) / 2).square().mean((1, 2, 3))
            print(
                f"step {training.done}, {monotonic() - start:.0f} s: "
                f"trained on {-10 * log10(sum(errors) / len(errors)):.2f} dB, "
                f"validation {-10 * error.log10().mean().item():.2f} dB",
                flush=True,
            )
            errors.clear()
            if asked.checkpoint:
                training.save(asked.checkpoint)
    state = {name: t.half().contiguous().cpu() for name, t in training.model.state_dict().items()}
    save_file(state, asked.out / "vae.safetensors")


if __name__ == "__main__":
    main()
