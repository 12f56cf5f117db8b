"""The second stage of the CLIP model: the upper stages of the trunk learn to see drawings."""

import math
from collections.abc import Callable

import numpy as np
import open_clip
import torch
from torch.nn.functional import cross_entropy, normalize

from training.clip_parts import SEED, Images, hold_constant, target_of, text_parameters
from training.corpus import Pictures, Texts
from training.views import LEARNED

EPOCHS, BATCH = 5, 128
RATES = {"text": 1e-3, "projection": 1e-3, "trunk": 3e-4}
DECAY = {"text": 0.1, "projection": 0.0, "trunk": 0.05}
AVERAGED = 0.9  # of the running mean of the weights, a step
TEACHING, COPIES, APART = 1.0, 0.5, 5.0  # weights beside the contrast of pictures and captions
COPY_SCALE, FIRST_SCALE = 40.0, 30.0  # of cosines, before a softmax


class Tuning:
    """The two towers, what they are trained on, and the loss."""

    def __init__(
        self, model: open_clip.CLIP, images: Images, pictures: Pictures, texts: Texts
    ) -> None:
        self.model, self.images, self.pictures, self.texts = model, images, pictures, texts
        self.draw = np.random.default_rng(SEED)

    def loss(self, reading: torch.nn.Linear, rows: np.ndarray) -> torch.Tensor:
        """Of a batch: pictures against captions, copies against copies, texts against the teacher.

        Every other batch, by a draw, is of pictures and their altered copies; the others are of
        any one view.
        """
        texts, draw = self.texts, self.draw
        copies = bool(draw.random() < 0.5)
        views = ["original", "altered"] if copies else [str(draw.choice(LEARNED))]
        seen = [self.images(self.pictures.maps(view, rows)) for view in views]
        chosen = draw.integers(0, texts.captions.shape[1], len(rows))
        captions = texts.captions[rows, chosen]
        said = self.model.encode_text(texts.tokens[captions])
        text, taught = normalize(said, dim=-1), texts.teacher[captions]
        target = target_of(taught)
        scale = self.model.logit_scale.exp().clamp(max=100)
        loss = torch.zeros(())
        for one in seen:
            logits = scale * one @ text.T
            both = cross_entropy(logits, target) + cross_entropy(logits.T, target)
            loss = loss + both / (2 * len(seen))
        if copies:
            same = torch.arange(len(rows))
            alike = COPY_SCALE * seen[0] @ seen[1].T
            loss = loss + COPIES * (cross_entropy(alike, same) + cross_entropy(alike.T, same)) / 2
            loss = loss + APART * (1 - (seen[0] * seen[1]).sum(-1)).mean()
        words = draw.choice(texts.words, len(rows), replace=False)
        both = torch.cat([said, self.model.encode_text(texts.tokens[words])])
        wanted = torch.cat([taught, texts.teacher[words]])
        return loss + TEACHING * (1 - (normalize(reading(both), dim=-1) * wanted).sum(-1).mean())

    def run(self, reading: torch.nn.Linear, rows: np.ndarray, watch: Callable[[], str]) -> None:
        """Trains both towers; the running mean of their weights is what is left in them."""
        with torch.no_grad():
            self.model.logit_scale.fill_(math.log(FIRST_SCALE))
        parts = {
            "text": text_parameters(self.model),
            "projection": [*self.images.projection.parameters(), *reading.parameters()],
            "trunk": list(self.images.upper.parameters()),
        }
        groups = [{"params": p, "lr": RATES[n], "weight_decay": DECAY[n]} for n, p in parts.items()]
        optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        per_epoch = len(rows) // BATCH
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, list(RATES.values()), total_steps=EPOCHS * per_epoch, pct_start=0.15
        )
        trained = [p for part in parts.values() for p in part]
        mean = [p.detach().clone() for p in trained]
        for epoch in range(EPOCHS):
            order = self.draw.permutation(rows)
            total = 0.0
            for batch in np.split(order[: per_epoch * BATCH], per_epoch):
                optimiser.zero_grad()
                loss = self.loss(reading, np.sort(batch))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, 5.0)
                optimiser.step()
                schedule.step()
                hold_constant(self.images.projection)
                torch._foreach_lerp_(mean, [p.detach() for p in trained], 1 - AVERAGED)
                total += loss.item() / per_epoch
            print(f"epoch {epoch + 1}: loss {total:.3f}, {watch()}", flush=True)
        with torch.no_grad():
            for parameter, averaged in zip(trained, mean, strict=True):
                parameter.copy_(averaged)
