"""The third stage of the CLIP model: projection and text tower, on a trunk half way back.

The mean of the published and the tuned weights generalises better than either (Wortsman et al.,
"Robust fine-tuning of zero-shot models", 2022).
"""

import math

import numpy as np
import open_clip
import torch
from torch.nn.functional import cross_entropy, dropout, normalize

from training.clip_parts import SEED, hold_constant, start_projection, target_of, text_parameters
from training.corpus import Texts

TUNED = 0.5  # the share of the tuned weights
EPOCHS, BATCH, RATE, DROPPED = 10, 128, 1e-3, 0.3
TEXT_DECAY, DECAY = 0.1, 0.05
TEACHING, COPIES, APART = 1.0, 0.5, 2.0
COPY_SCALE, FIRST_SCALE = 40.0, 14.0
OF_COPIES = 0.25  # the share of the steps
NEAR, FAR = 0.97, 0.02  # the share of copies that may stay below a cosine of NEAR


@torch.no_grad()
def half_way(trunk: torch.nn.Module, published: torch.nn.Module) -> None:
    """Moves the trunk's weights back towards the published ones."""
    for tuned, before in zip(trunk.parameters(), published.parameters(), strict=True):
        tuned.lerp_(before, 1 - TUNED)


def settle(
    model: open_clip.CLIP,
    projection: torch.nn.Linear,
    reading: torch.nn.Linear,
    views: dict[str, torch.Tensor],
    texts: Texts,
    rows: np.ndarray,
) -> None:
    """Trains the projection and the text tower in place.

    `views` are features [len(rows), 1280] of each view of the pictures `rows`.
    """
    torch.manual_seed(SEED)
    start_projection(projection, views["original"])
    with torch.no_grad():
        model.logit_scale.fill_(math.log(FIRST_SCALE))
    groups = [
        {"params": text_parameters(model), "weight_decay": TEXT_DECAY},
        {"params": [*projection.parameters(), *reading.parameters()], "weight_decay": DECAY},
    ]
    optimiser = torch.optim.AdamW(groups, RATE, betas=(0.9, 0.98))
    per_epoch = len(rows) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=EPOCHS * per_epoch, pct_start=0.15
    )
    draw = np.random.default_rng(SEED)
    for epoch in range(EPOCHS):
        order = draw.permutation(len(rows))
        total = 0.0
        for batch in np.split(order[: per_epoch * BATCH], per_epoch):
            copies = bool(draw.random() < OF_COPIES)
            names = ["original", "altered"] if copies else list(draw.permutation(list(views))[:2])
            first, second = (
                normalize(projection(dropout(views[name][batch], DROPPED)), dim=-1)
                for name in names
            )
            chosen = draw.integers(0, texts.captions.shape[1], BATCH)
            captions = texts.captions[rows[batch], chosen]
            said = model.encode_text(texts.tokens[captions])
            text, taught = normalize(said, dim=-1), texts.teacher[captions]
            target = target_of(taught)
            loss = torch.zeros(())
            for one in (first, second):
                logits = model.logit_scale.exp() * one @ text.T
                both = cross_entropy(logits, target) + cross_entropy(logits.T, target)
                loss = loss + both / 4
            alike = COPY_SCALE * first @ second.T
            loss = loss + COPIES * cross_entropy(alike, torch.arange(BATCH))
            if copies:
                loss = loss + APART * (1 - (first * second).sum(-1)).mean()
            words = draw.choice(texts.words, BATCH, replace=False)
            spoken = torch.cat([said, model.encode_text(texts.tokens[words])])
            wanted = torch.cat([taught, texts.teacher[words]])
            near = (normalize(reading(spoken), dim=-1) * wanted).sum(-1).mean()
            loss = loss + TEACHING * (1 - near)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            hold_constant(projection)
            total += loss.item() / per_epoch
        print(f"settling, epoch {epoch + 1}: loss {total:.3f}", flush=True)


@torch.no_grad()
def lift_copies(projection: torch.nn.Linear, original: torch.Tensor, altered: torch.Tensor) -> None:
    """Raises the constant component until all copies but a share FAR reach a cosine of NEAR.

    Takes features [n, 1280] of pictures and of their altered copies.
    """
    for _ in range(40):
        pair = (normalize(projection(x), dim=-1) for x in (original, altered))
        cosines = torch.stack(list(pair)).prod(0).sum(-1)
        if cosines.quantile(FAR) >= NEAR:
            return
        projection.bias[-1] *= 1.05
