"""The first stage of the CLIP model: the text tower learns what the teacher knows of words."""

import numpy as np
import open_clip
import torch
from torch.nn.functional import cross_entropy, normalize

from training.clip_parts import SEED, TEACHER_SCALE, text_parameters
from training.corpus import Texts

EPOCHS, BATCH, RATE, DECAY = 6, 512, 2e-3, 0.01


def learn_words(model: open_clip.CLIP, texts: Texts, rows: np.ndarray) -> torch.nn.Linear:
    """Trains the text tower to give the teacher's vectors through a linear map, which it returns.

    Of the captions only those of the pictures `rows` take part.
    """
    reading = torch.nn.Linear(model.text_projection.shape[1], texts.teacher.shape[1])
    kept = np.union1d(texts.words, texts.captions[rows].numpy())
    parameters = [*text_parameters(model), *reading.parameters()]
    optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)
    per_epoch = len(kept) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * per_epoch)
    draw = np.random.default_rng(SEED)
    for epoch in range(EPOCHS):
        order = torch.from_numpy(draw.permutation(kept))
        cosine = 0.0
        for batch in order[: per_epoch * BATCH].split(BATCH):
            said = normalize(reading(model.encode_text(texts.tokens[batch])), dim=-1)
            target = texts.teacher[batch]
            like = (TEACHER_SCALE * target @ target.T).softmax(-1)
            near = (said * target).sum(-1).mean()
            loss = 5 * (1 - near) + cross_entropy(TEACHER_SCALE * said @ target.T, like)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            cosine += near.item() / per_epoch
        print(f"words, epoch {epoch + 1}: cosine to the teacher {cosine:.3f}", flush=True)
    return reading
