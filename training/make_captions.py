"""The bank of the retrieving captioner: titles, and their text embeddings.

    python -m training.make_captions --cache DIR --out dataproc_assets/models/weights

Reads `clipart.parquet` of the cache and `clip.safetensors`; writes `caption.safetensors` and
`caption.txt`.
"""

import re
from hashlib import sha256

import numpy as np
import polars as pl
import torch

from training.command import ask_paths
from training.embed import Encoder, text_embeddings

MOST = 2000
# Brands; and what a wrong nearest neighbour must not claim of a person in a picture.
NO_CAPTIONS = re.compile(
    r"\b(xbox|bmw|chevrolet|coke|debian|gentoo|gnome|gnu|inkscape|linux|sony|tux|gerald|ganson|"
    r"bab(y|ies)|boys?|child(ren)?|girls?|kids?|bomb|nude|sexy|svg|clip\s?art|illustration)\b"
)


def bank(rows: pl.DataFrame) -> list[str]:
    """Titles of training pictures of two to eight words, sorted; a title of one gets a keyword."""
    titles = set()
    for title, keywords in rows.filter(fold="training").select("title", "keywords").iter_rows():
        words = title.split()
        if len(words) == 1 and keywords:
            other = next((k for k in keywords if k.isalpha() and k != title), None)
            words = [*words, other] if other else words
        text = " ".join(words)
        if 2 <= len(words) <= 8 and len(text) >= 8 and not NO_CAPTIONS.search(text):
            titles.add(text)
    return sorted(sorted(titles, key=lambda t: sha256(t.encode()).digest())[:MOST])


def main() -> None:
    """Runs the command in the module's first lines."""
    asked = ask_paths(__doc__, "cache", "out")
    torch.set_num_threads(1)
    captions = bank(pl.read_parquet(asked.cache / "clipart.parquet"))
    encoder = Encoder(asked.out)
    embeddings = text_embeddings(encoder.model, captions).astype(np.float16)
    encoder.save(asked.out / "caption.safetensors", embeddings=embeddings)
    (asked.out / "caption.txt").write_text("\n".join(captions) + "\n")
    print(f"{len(captions)} captions")


if __name__ == "__main__":
    main()
