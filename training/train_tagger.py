"""The tagger: the trunk of the CLIP model with its upper stages trained on keywords.

    python -m training.train_tagger --cache DIR --out dataproc_assets/models/weights

Reads the cache of `training.features` and `clip.safetensors`; writes `tagger.safetensors`, a timm
`tf_efficientnet_lite0`, and `tagger.csv` in the layout of WD taggers.
"""

import numpy as np
import polars as pl
import timm
import torch
from safetensors.torch import load_file, save_file

from training.command import ask_paths
from training.corpus import Pictures, read_pictures
from training.efficientnet import upper_stages
from training.measure_tagger import mean_average_precision
from training.views import LEARNED

SEED = 0
FEWEST_EXAMPLES = 30
EPOCHS, BATCH, RATE, HEAD_RATE, DECAY, AVERAGED = 5, 64, 1.5e-4, 2e-3, 0.05, 0.95
# Words that say how a file was filed or made, or a name that belongs to someone.
NO_TAGS = {
    *("icons", "icon", "theme", "lemon theme icon", "application", "action", "mapsym", "menu"),
    *("mimetypes", "mime-types", "appicon", "webpage", "filesystem", "magick", "stock"),
    *("networksym", "architetto francesco rollandin", "signs and symbols", "simple", "linux"),
    *("ubuntu", "penguin", "tux", "clip art", "clipart", "drawing"),
}


def vocabulary(rows: pl.DataFrame) -> pl.DataFrame:
    """`keyword` and `count` of what at least FEWEST_EXAMPLES training pictures are called."""
    words = rows.filter(fold="training")["keywords"].explode().drop_nulls().rename("keyword")
    counts = words.value_counts().filter(pl.col("count") >= FEWEST_EXAMPLES)
    return counts.filter(~pl.col("keyword").is_in(list(NO_TAGS))).sort("keyword")


def targets(rows: pl.DataFrame, keywords: list[str]) -> np.ndarray:
    """bool [pictures, keywords]."""
    return np.stack([rows["keywords"].list.contains(w).to_numpy() for w in keywords], axis=1)


class Tagging(torch.nn.Module):
    """The trainable part of the tagger: upper stages and a head."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.upper = upper_stages(network)
        self.head = network.classifier

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits [n, tags] of maps [n, 112, 14, 14]."""
        return self.head(self.upper(maps))  # type: ignore[operator]

    @torch.no_grad()
    def predict(self, pictures: Pictures, rows: np.ndarray) -> np.ndarray:
        """float32 [n, tags]: the probabilities."""
        blocks = np.array_split(rows, max(1, len(rows) // 128))
        logits = [self(pictures.maps("original", block)) for block in blocks]
        return torch.cat(logits).sigmoid().numpy()


def train(model: Tagging, pictures: Pictures, truth: np.ndarray) -> None:
    """Trains in place; the running mean of the weights is what is left."""
    rows, held = pictures.of("training"), pictures.of("validation")
    wanted = torch.from_numpy(truth).float()
    # Each example weighs the same, so that p is a frequency: a floor then means what it says.
    loss_of = torch.nn.BCEWithLogitsLoss()
    share = wanted[rows].mean(0).clamp(1e-4, 1 - 1e-4)
    with torch.no_grad():
        model.head.weight.zero_()  # type: ignore[operator]
        model.head.bias.copy_(torch.logit(share))  # type: ignore[operator]
    groups = [
        {"params": list(model.upper.parameters()), "lr": RATE},
        {"params": list(model.head.parameters()), "lr": HEAD_RATE},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=DECAY)
    per_epoch = len(rows) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [RATE, HEAD_RATE], total_steps=EPOCHS * per_epoch, pct_start=0.2
    )
    trained = list(model.parameters())
    mean = [p.detach().clone() for p in trained]
    draw = np.random.default_rng(SEED)
    for epoch in range(EPOCHS):
        order = draw.permutation(rows)
        total = 0.0
        for batch in np.split(order[: per_epoch * BATCH], per_epoch):
            chosen = np.sort(batch)
            view = LEARNED[draw.integers(len(LEARNED))]
            optimiser.zero_grad()
            loss = loss_of(model(pictures.maps(view, chosen)), wanted[chosen]) * 10
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 5.0)
            optimiser.step()
            schedule.step()
            torch._foreach_lerp_(mean, [p.detach() for p in trained], 1 - AVERAGED)
            total += loss.item() / per_epoch
        found = mean_average_precision(model.predict(pictures, held), truth[held])
        print(f"epoch {epoch + 1}: loss {total:.3f}, validation mAP {found:.3f}", flush=True)
    with torch.no_grad():
        for parameter, averaged in zip(trained, mean, strict=True):
            parameter.copy_(averaged)
    found = mean_average_precision(model.predict(pictures, held), truth[held])
    print(f"the mean of the weights: validation mAP {found:.3f}", flush=True)


def main() -> None:
    """Runs the command in the module's first lines."""
    asked = ask_paths(__doc__, "cache", "out")
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    pictures = read_pictures(asked.cache)
    tags = vocabulary(pictures.rows)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=len(tags))
    prefix = "visual.trunk."
    trunk = load_file(asked.out / "clip.safetensors")
    state = {k.removeprefix(prefix): t.float() for k, t in trunk.items() if k.startswith(prefix)}
    network.load_state_dict(state, strict=False)  # all but the head
    network.eval()
    train(Tagging(network), pictures, targets(pictures.rows, tags["keyword"].to_list()))
    save_file(
        {name: t.half() if t.ndim > 1 else t for name, t in network.state_dict().items()},
        asked.out / "tagger.safetensors",
    )
    tags.with_row_index("tag_id").select(
        "tag_id",
        name=pl.col("keyword").str.replace_all(" ", "_", literal=True),
        category=pl.lit(0),
        count="count",
    ).write_csv(asked.out / "tagger.csv")


if __name__ == "__main__":
    main()
