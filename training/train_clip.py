"""The CLIP model: a frozen image trunk, and a projection and a text tower trained on clip art.

    python -m training.train_clip --checkpoint efficientnet-lite0.pth --cache DIR \
        --out dataproc_assets/models/weights

Reads the cache that `training.features` wrote. Prints the figures of the model card.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import open_clip
import polars as pl
import torch
from open_clip import SimpleTokenizer
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, normalize

from training.efficientnet import load_trunk

EPOCHS, BATCH, SEED = 40, 512, 0
RATE, PROJECTION_RATE = 2e-3, 1e-4
# Near-duplicate search proposes pairs at a cosine of 0.97. Among principal components alone the
# copies of a picture reach only LINE and strangers stay near 0; one constant component lifts
# LINE to 0.97 without changing which of two pairs is the nearer.
PROPOSED, LINE = 0.97, 0.90
CONSISTENCY, LIKENESS = 20.0, 10.0  # of altered copies, and of the trunk's own cosines, to text


def principal(features: torch.Tensor, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight [d, 1280] and bias [d]: the centred features' principal components, and a constant."""
    mean = features.mean(0)
    _, sizes, axes = torch.linalg.svd(features - mean, full_matrices=False)
    weight = torch.cat([axes[: dimensions - 1], torch.zeros(1, features.shape[1])])
    bias = -weight @ mean
    power = sizes[: dimensions - 1].square().sum() / len(features)
    bias[-1] = ((PROPOSED - LINE) / (1 - PROPOSED) * power).sqrt()
    return weight, bias


def captions(rows: pl.DataFrame, draw: np.random.Generator) -> list[str]:
    """One text a picture: its title, or its title and some keywords, or keywords alone."""
    texts = []
    for title, keywords in rows.select("title", "keywords").iter_rows():
        words = list(draw.permutation(keywords)[: draw.integers(1, 5)]) if keywords else []
        parts = [[title], [title, *words], words][draw.integers(0, 3)]
        texts.append(", ".join(part for part in parts if part) or title or "picture")
    return texts


def train(
    model: open_clip.CLIP, rows: pl.DataFrame, original: torch.Tensor, altered: torch.Tensor
) -> None:
    """Trains the projection and the text tower in place."""
    tokenizer = SimpleTokenizer(context_length=model.context_length)
    projection = model.visual.head.proj
    steps = EPOCHS * (len(rows) // BATCH)
    text_tower = [p for name, p in model.named_parameters() if not name.startswith("visual.")]
    groups = [
        {"params": text_tower, "lr": RATE},
        {"params": projection.parameters(), "lr": PROJECTION_RATE, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [RATE, PROJECTION_RATE], total_steps=steps
    )
    with torch.no_grad():
        before = normalize(projection(original), dim=-1)
    draw = np.random.default_rng(SEED)
    titles = rows["title"].rank("dense").to_torch()
    for epoch in range(EPOCHS):
        order = torch.from_numpy(draw.permutation(len(rows)))
        texts = tokenizer(captions(rows, draw))
        for batch in order[: len(rows) // BATCH * BATCH].split(BATCH):
            first = normalize(projection(original[batch]), dim=-1)
            second = normalize(projection(altered[batch]), dim=-1)
            text = normalize(model.encode_text(texts[batch]), dim=-1)
            same = (titles[batch][:, None] == titles[batch]) & ~torch.eye(BATCH, dtype=torch.bool)
            logits = (model.logit_scale.exp() * first @ text.T).masked_fill(same, -1e4)
            target = torch.arange(BATCH)
            meaning = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
            apart = (1 - (first * second).sum(-1)).mean()
            moved = (first @ first.T - before[batch] @ before[batch].T).square().mean()
            loss = meaning + CONSISTENCY * apart + LIKENESS * moved
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        if epoch % 5 == 4:
            print(
                f"epoch {epoch + 1}: text {meaning:.2f} apart {apart:.4f} moved {moved:.4f}",
                flush=True,
            )


def report(model: open_clip.CLIP, cache: Path, rows: pl.DataFrame, features: torch.Tensor) -> dict:
    """Recall on unseen creators' pictures, and cosines of copies, variants and strangers."""

    def embed(array: np.ndarray) -> np.ndarray:
        return normalize(model.visual.head.proj(torch.from_numpy(array)), dim=-1).numpy()

    tokenizer = SimpleTokenizer(context_length=model.context_length)
    unseen = rows.with_row_index().filter(fold="unseen").unique("title", maintain_order=True)
    unseen = unseen.filter(pl.col("title").str.len_chars() > 3).sample(400, seed=SEED)
    texts = [", ".join([t, *k[:4]]) for t, k in unseen.select("title", "keywords").iter_rows()]
    images = embed(features[unseen["index"].to_numpy()].numpy())
    words = normalize(model.encode_text(tokenizer(texts)), dim=-1).numpy()
    similarity = words @ images.T
    rank = (similarity > similarity.diagonal()[:, None]).sum(1)
    figures: dict = {
        "recall@5 of 400 unseen, text to image": float((rank < 5).mean()),
        "recall@1": float((rank < 1).mean()),
        "copies": {},
    }
    for name in ("probe", "novel"):
        stored = np.load(cache / f"{name}.npz")
        base = embed(stored["original"])
        for copy in stored.files:
            if copy not in ("names", "original"):
                cosine = (base * embed(stored[copy])).sum(1)
                figures["copies"][f"{name} {copy}"] = {
                    "share >= 0.97": float((cosine >= 0.97).mean()),
                    "lowest, 5%, median": np.percentile(cosine, [0, 5, 50]).round(4).tolist(),
                }
        between = (base @ base.T)[np.triu_indices(len(base), 1)]
        figures[f"different pictures: {name}"] = {
            "share >= 0.97": float((between >= 0.97).mean()),
            "share >= 0.9": float((between >= 0.9).mean()),
            "median, 95%, 99%, highest": np.percentile(between, [50, 95, 99, 100])
            .round(4)
            .tolist(),
        }
    return figures


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("checkpoint", "cache", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    architecture = json.loads((asked.out / "clip.json").read_text())
    model = open_clip.CLIP(**architecture)
    trunk = load_trunk(asked.checkpoint)
    trunk.reset_classifier(0)
    model.visual.trunk.load_state_dict(trunk.state_dict(), strict=True)
    model.eval()  # the trunk's batch statistics stay those of ImageNet
    rows = pl.read_parquet(asked.cache / "clipart.parquet")
    stored = np.load(asked.cache / "clipart.npz")
    original, altered = (torch.from_numpy(stored[copy]) for copy in ("original", "altered"))
    fold = rows["fold"].eq("training").to_torch()
    projection = model.visual.head.proj
    with torch.no_grad():
        weight, bias = principal(original[fold], architecture["embed_dim"])
        projection.weight.copy_(weight)
        projection.bias.copy_(bias)
        print(json.dumps({"before training": report(model, asked.cache, rows, original)}, indent=1))
    train(model, rows.filter(fold="training"), original[fold], altered[fold])
    with torch.no_grad():
        print(json.dumps(report(model, asked.cache, rows, original), indent=1))
    # Biases and batch statistics are few, and some variances are too small for 16 bits.
    tensors = {
        name: tensor.half() if tensor.ndim > 1 else tensor
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, asked.out / "clip.safetensors")


if __name__ == "__main__":
    main()
