"""What stands on the embedding: the score head, the tagger's heads and the bank of captions.

    python -m training.train_heads --cache DIR --out dataproc_assets/models/weights

Reads the cache of `training.features` and the `clip.safetensors` of `training.train_clip`.
Prints the figures of the model cards.
"""

import argparse
import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import open_clip
import polars as pl
import torch
from open_clip import SimpleTokenizer
from safetensors.numpy import load_file, save_file
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

PICTURES = (
    "animals",
    "buildings",
    "food",
    "people",
    "plants",
    "recreation",
    "transportation",
    "education",
    "tools",
    "containers",
    "decorations",
)
SYMBOLS = (
    "buttons",
    "computer/icons",
    "computer/buttons",
    "logos",
    "shapes",
    "signs_and_symbols",
    "office/charts",
    "transportation/aiga-symbols",
    "transportation/roadsigns",
    "special/patterns",
    "special/gradients",
    "people/smilies",
    "people/stickmen",
)
LINE, SPREAD = 1.2, 0.25  # score = LINE + SPREAD x (logit - the logit that MISSED of pictures miss)
MISSED = 0.03
FEWEST_EXAMPLES, CAPTIONS, SEED = 30, 2000, 0
# Words that say how a file was filed or made, or a name that belongs to someone.
NO_TAGS = {
    "icons",
    "icon",
    "theme",
    "lemon theme icon",
    "application",
    "action",
    "mapsym",
    "menu",
    "mimetypes",
    "mime-types",
    "appicon",
    "webpage",
    "filesystem",
    "magick",
    "stock",
    "networksym",
    "architetto francesco rollandin",
    "signs and symbols",
    "11",
    "simple",
    "linux",
    "ubuntu",
    "penguin",
    "tux",
    "clip art",
    "clipart",
    "drawing",
}

# Brands; and what a wrong nearest neighbour must not claim of a person in a picture.
NO_CAPTIONS = re.compile(
    r"\b(xbox|bmw|chevrolet|coke|debian|gentoo|gnome|gnu|inkscape|linux|sony|tux|"
    r"bab(y|ies)|boys?|child(ren)?|girls?|kids?|bomb|nude|sexy)\b"
)


def logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray, decay: float) -> tuple:
    """Weights [k, d] and biases [k] of k weighted logistic regressions, by full-batch L-BFGS."""
    inputs, targets, importance = (torch.tensor(a, dtype=torch.float32) for a in (x, y, weight))
    layer = torch.nn.Linear(x.shape[1], y.shape[1])
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = binary_cross_entropy_with_logits(layer(inputs), targets, weight=importance)
        value = value + decay * layer.weight.square().sum() / y.shape[1]
        value.backward()
        return value

    optimiser.step(loss)
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores above a negative."""
    rank = pl.Series(score).rank().to_numpy()
    n = positive.sum()
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def save(out: Path, name: str, encoder: str, **tensors: np.ndarray) -> None:
    """Writes tensors, and the digest of the encoder that they were made for."""
    arrays = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    save_file(arrays, out / f"{name}.safetensors", {"encoder": encoder})


def score_head(
    rows: pl.DataFrame, x: np.ndarray, drawn: np.ndarray, out: Path, encoder: str
) -> None:
    """A picture (line 1.2 and above) against a symbol, an icon or a diagram."""
    starts = [pl.col("folder").str.starts_with(f) for f in SYMBOLS]
    symbol = rows.select(pl.any_horizontal(starts)).to_series().to_numpy()
    top = rows["folder"].str.split("/").list[0]
    picture = top.is_in(PICTURES).to_numpy() & ~symbol
    unseen = rows["fold"].eq("unseen").to_numpy()
    seen = (picture | symbol) & ~unseen
    inputs = np.concatenate([x[seen], drawn])
    target = np.concatenate([picture[seen], np.ones(len(drawn), bool)])
    balance = np.where(target, 1 / target.mean(), 1 / (~target).mean()) / 2
    weight, bias = logistic(inputs, target[:, None], balance[:, None], 3e-4)
    logit = inputs @ weight[0] + bias[0]
    offset = np.quantile(logit[target], MISSED)
    weight, bias = weight * SPREAD, LINE + SPREAD * (bias - offset)
    save(out, "score", encoder, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
    held = unseen & (picture | symbol)
    score = x[held] @ weight[0] + bias[0]
    is_picture = picture[held]
    print(
        json.dumps(
            {
                "score": {
                    "training": {"pictures": int(target.sum()), "symbols": int((~target).sum())},
                    "unseen creators": {
                        "pictures": int(is_picture.sum()),
                        "symbols": int((~is_picture).sum()),
                    },
                    "pictures at 1.2 or above": float((score[is_picture] >= LINE).mean()),
                    "symbols at 1.2 or above": float((score[~is_picture] >= LINE).mean()),
                    "auc": auc(score, is_picture),
                    "quantiles of pictures": np.quantile(score[is_picture], [0.01, 0.1, 0.5, 0.9])
                    .round(2)
                    .tolist(),
                    "quantiles of symbols": np.quantile(score[~is_picture], [0.1, 0.5, 0.9])
                    .round(2)
                    .tolist(),
                    "sprites and backgrounds (trained on)": (drawn @ weight[0] + bias[0])
                    .round(2)
                    .tolist(),
                }
            },
            indent=1,
        )
    )


def tagger(rows: pl.DataFrame, x: np.ndarray, out: Path, encoder: str) -> None:
    """One head a keyword that enough training pictures have; category general."""
    unseen = rows["fold"].eq("unseen").to_numpy()
    counts = rows.filter(fold="training")["keywords"].explode().drop_nulls().value_counts()
    tags = (
        counts.filter(
            (pl.col("count") >= FEWEST_EXAMPLES) & ~pl.col("keywords").is_in(list(NO_TAGS))
        )["keywords"]
        .sort()
        .to_list()
    )
    target = np.stack([rows["keywords"].list.contains(tag).to_numpy() for tag in tags], axis=1)
    # The same weight for each example keeps p a frequency: a floor then means what it says.
    weight, bias = logistic(x[~unseen], target[~unseen], np.ones((1, len(tags))), 1e-5)
    save(out, "tagger", encoder, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
    lines = "".join(f"{tag.replace(' ', '_')}\tgeneral\n" for tag in tags)
    (out / "tagger.tsv").write_text(lines)
    p, truth = 1 / (1 + np.exp(-(x[unseen] @ weight.T + bias))), target[unseen]
    each = {
        t: round(auc(p[:, i], truth[:, i]), 3) for i, t in enumerate(tags) if truth[:, i].sum() > 4
    }
    figures: dict = {
        "tags": len(tags),
        "mean auc of tags with 5 unseen examples": np.mean(list(each.values())),
        "tags measured": len(each),
    }
    for floor in (0.1, 0.2, 0.35, 0.5):
        kept = p >= floor
        figures[f"p >= {floor}"] = {
            "precision": float(truth[kept].mean()),
            "recall": float(kept[truth].mean()),
            "tags a picture": float(kept.sum(1).mean()),
        }
    print(
        json.dumps(
            {"tagger": figures, "worst": sorted(each.items(), key=lambda i: i[1])[:8]}, indent=1
        )
    )


def caption_bank(rows: pl.DataFrame, out: Path, encoder: str) -> np.ndarray:
    """Titles of training pictures of two to eight words, and their text embeddings."""
    titles = rows.filter(
        pl.col("fold") == "training", ~pl.col("folder").str.starts_with("shapes/stars")
    )
    cleaned = []
    for title in titles["title"]:
        text = re.sub(r"^clip\s?art by [^-]*-", "", title, flags=re.IGNORECASE)
        text = re.sub(r"\bby\b.*$|\bremix\b.*$|\(.*?\)", "", text, flags=re.IGNORECASE)
        text = " ".join(re.sub(r"[^A-Za-z' ]+", " ", text).lower().split())
        if 2 <= len(text.split()) <= 8 and len(text) >= 8 and not NO_CAPTIONS.search(text):
            cleaned.append(text)
    chosen = sorted(set(cleaned), key=lambda t: sha256(t.encode()).digest())[:CAPTIONS]
    chosen.sort()
    model = open_clip.CLIP(**json.loads((out / "clip.json").read_text()))
    state = {k: torch.from_numpy(v).float() for k, v in load_file(out / "clip.safetensors").items()}
    model.load_state_dict(state, strict=True)
    tokenizer = SimpleTokenizer(context_length=model.context_length)
    with torch.inference_mode():
        bank = normalize(model.eval().encode_text(tokenizer(chosen)), dim=-1).numpy()
    save(out, "caption", encoder, embeddings=bank.astype(np.float16))
    (out / "caption.txt").write_text("\n".join(chosen) + "\n")
    return bank


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("cache", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    content = (asked.out / "clip.safetensors").read_bytes()
    encoder, state = sha256(content).hexdigest(), load_file(asked.out / "clip.safetensors")

    def embed(features: np.ndarray) -> np.ndarray:
        x = features @ state["visual.head.proj.weight"].astype(np.float32).T
        x = x + state["visual.head.proj.bias"].astype(np.float32)
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)

    rows = pl.read_parquet(asked.cache / "clipart.parquet")
    x = embed(np.load(asked.cache / "clipart.npz")["original"])
    stored = np.load(asked.cache / "novel.npz")
    drawn = embed(np.concatenate([stored["original"], stored["altered"]]))
    score_head(rows, x, drawn, asked.out, encoder)
    tagger(rows, x, asked.out, encoder)
    bank = caption_bank(rows, asked.out, encoder)
    best = (x[rows["fold"].eq("unseen").to_numpy()] @ bank.T).max(1)
    print(
        json.dumps(
            {
                "captions": len(bank),
                "greatest cosine of unseen pictures, quantiles": np.quantile(
                    best, [0.05, 0.25, 0.5, 0.75, 0.95]
                )
                .round(3)
                .tolist(),
            }
        )
    )


if __name__ == "__main__":
    main()
