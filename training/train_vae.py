"""The demo autoencoder: four latent channels, a factor of eight, a few minutes on a CPU.

python -m training.train_vae --material DIR --out dataproc_assets/models/weights \
    [--steps N] [--begin FILE] [--show PNG]

Prints the PSNR on unseen creators' pictures and on a background left out of training.
"""

import argparse
import json
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import avg_pool2d

from training.features import shrunk
from training.material import clipart, flatten, novel

CROP, SHOWN, BATCH, RATE, SEED = 64, 128, 8, 3e-3, 0
EDGES, SQUARES, SMALL = 0.5, 4.0, 1e-4  # weights beside the L1 of pixels
# In the first part of training three latents are shown the mean colour of their 8 x 8 pixels;
# left alone, so small a training ends before the network has found that there is colour.
SHOWN_COLOUR = 0.5
KEPT, HELD = 700, 60
LEFT_OUT = "bg meadow"  # an unseen painting
POINTS_OF_NOVEL = 0.3  # the share of crops from sprites and backgrounds


def small(path: Path) -> np.ndarray:
    """uint8 [h, w, 3] with the shorter side at 160 pixels: enough for one crop."""
    image = flatten(path)
    scale = 160 / min(image.size)
    image = shrunk(image, scale) if scale < 1 else image
    width, height = (max(length, SHOWN) for length in image.size)
    canvas = Image.new("RGB", (width, height), "white")
    canvas.paste(image)
    return np.asarray(canvas)


def crops(pool: list[np.ndarray], count: int, side: int, draw: np.random.Generator) -> np.ndarray:
    """uint8 [count, side, side, 3], half of them mirrored."""
    found = []
    for index in draw.integers(0, len(pool), count):
        picture = pool[index]
        y = draw.integers(0, picture.shape[0] - side + 1)
        x = draw.integers(0, picture.shape[1] - side + 1)
        crop = picture[y : y + side, x : x + side]
        found.append(crop[:, ::-1] if draw.integers(2) else crop)
    return np.stack(found)


def tensor(pictures: np.ndarray) -> torch.Tensor:
    """float32 [n, 3, h, w] in [-1, 1] of uint8 [n, h, w, 3]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def edges(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences of neighbours, across and down: lines are what an L1 loss blurs first."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def psnr(model: AutoencoderKL, pictures: np.ndarray) -> np.ndarray:
    """PSNR in dB of each uint8 picture [n, 128, 128, 3] after encoding and decoding."""
    with torch.inference_mode():
        x = tensor(pictures)
        back = model.decode(model.encode(x).latent_dist.mode()).sample.clamp(-1, 1)
        error = ((x - back) / 2).square().mean((1, 2, 3))
    return (-10 * torch.log10(error.clamp_min(1e-8))).numpy()


def train(model: AutoencoderKL, pools: list[list[np.ndarray]], steps: int) -> None:
    """L1 and squares of pixels, L1 of edges, and latents kept small.

    The posterior's mean is decoded and no sample of it: only the mean is ever stored.
    """
    draw = np.random.default_rng(SEED)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=steps, pct_start=0.1
    )
    start = monotonic()
    for step in range(steps):
        drawn = int(draw.binomial(BATCH, POINTS_OF_NOVEL))
        parts = [
            crops(pool, n, CROP, draw)
            for pool, n in zip(pools, (BATCH - drawn, drawn), strict=True)
            if n
        ]
        x = tensor(np.concatenate(parts))
        latents = model.encode(x).latent_dist.mode()
        back = model.decode(latents).sample
        colour = (latents[:, :3] - 2 * avg_pool2d(x, 8)).square().mean()
        shown = max(0.0, 1 - step / (SHOWN_COLOUR * steps))
        loss = (x - back).abs().mean() + SQUARES * (x - back).square().mean()
        loss = loss + shown * colour + SMALL * latents.square().mean()
        for a, b in zip(edges(x), edges(back), strict=True):
            loss = loss + EDGES * (a - b).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            error = ((x - back.clamp(-1, 1)) / 2).square().mean().item()
            took = monotonic() - start
            print(f"step {step}: {-10 * np.log10(error):.1f} dB, {took:.0f} s", flush=True)


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--begin", type=Path, help="weights to go on from")
    parser.add_argument("--show", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    draw = np.random.default_rng(SEED + 1)
    rows = clipart(asked.material)
    pictures = {
        fold: [
            small(asked.material / p)
            for p in rows.filter(fold=fold)["path"].sample(count, seed=SEED).to_list()
        ]
        for fold, count in (("training", KEPT), ("unseen", HELD))
    }
    drawn = [p for p in novel(asked.material) if p.stem != LEFT_OUT]
    sprites = [array for p in drawn for array in (small(p), np.asarray(shrunk(flatten(p), 0.5)))]
    model = AutoencoderKL.from_config(json.loads((asked.out / "vae.json").read_text()))
    assert isinstance(model, AutoencoderKL)
    if asked.begin:
        model.load_state_dict({name: t.float() for name, t in load_file(asked.begin).items()})
    train(model, [pictures["training"], sprites], asked.steps)
    model.eval()
    state = {name: t.half().float() for name, t in model.state_dict().items()}
    model.load_state_dict(state)
    left_out = [
        np.asarray(shrunk(flatten(p), 0.5)) for p in novel(asked.material) if p.stem == LEFT_OUT
    ]
    shown = []
    for name, pool in (
        ("clip art of unseen creators", pictures["unseen"]),
        (LEFT_OUT, left_out),
        ("sprites and backgrounds (trained on)", sprites),
    ):
        held = crops(pool, 60, SHOWN, draw)
        values = psnr(model, held)
        print(f"PSNR, {name}: mean {values.mean():.1f} dB, 10% {np.quantile(values, 0.1):.1f} dB")
        shown.append(held[:8])
    save_file(
        {name: t.half().contiguous() for name, t in state.items()}, asked.out / "vae.safetensors"
    )
    if asked.show:
        x = tensor(np.concatenate(shown))
        with torch.inference_mode():
            back = model.decode(model.encode(x).latent_dist.mode()).sample.clamp(-1, 1)
        both = torch.cat([x.unflatten(0, (3, 8)), back.unflatten(0, (3, 8))], dim=3)
        sheet = both.permute(0, 3, 1, 4, 2).reshape(3 * 2 * SHOWN, 8 * SHOWN, 3)
        Image.fromarray(((sheet + 1) * 127.5).round().byte().numpy()).save(asked.show)


if __name__ == "__main__":
    main()
