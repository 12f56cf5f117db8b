"""Captions of the pictures and other words, with a teacher's embeddings of them, in a cache.

    python -m training.texts --teacher DIR --cache DIR

The teacher is all-MiniLM-L6-v2, a sentence encoder of 384 dimensions. Writes `texts.parquet`:
kind ("caption", "word"), picture (its row in `clipart.parquet`, null for a word), text, and
teacher, a unit vector as Array(Float16, 384).
"""

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import torch

from training.command import ask_paths
from training.material import plain

TEACHER = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
CAPTIONS, BATCH, LONGEST = 8, 256, 24  # captions a picture; texts a batch; tokens a text
DIMENSIONS = 384


def draws(name: str) -> np.random.Generator:
    """Draws that depend on the name alone."""
    return np.random.default_rng(int.from_bytes(sha256(name.encode()).digest()[:8], "big"))


def captions(row: dict) -> list[str]:
    """CAPTIONS texts of a picture: title, file name and keywords, some of them, in some order."""
    draw = draws(row["path"])
    folder = plain(row["folder"].replace("/", " ").replace("_", " "))
    texts = []
    for index in range(CAPTIONS):
        names = sorted({row["title"], row["file"]} - {""})
        name = names[draw.integers(len(names))] if names else ""
        words = list(draw.permutation(row["keywords"])[: draw.integers(0, 5)])
        form = [[name, *words], [name], [*words, name], [folder, *words]][index % 4]
        text = ", ".join(part for part in form if part)
        texts.append(text or name or folder)
    return texts


def words() -> list[str]:
    """The names of things of WordNet that timm ships with ImageNet's classes, in lower case."""
    spec = find_spec("timm")
    assert spec and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0], "data/_info/imagenet_synset_to_lemma.txt")
    lines = (line.partition("\t")[2] for line in path.read_text("utf-8").splitlines())
    return sorted({lemma.strip().lower() for line in lines for lemma in line.split(",")} - {""})


class Teacher:
    """The sentence encoder: the mean of its token vectors, of unit norm."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer  # of the extra `training`

        content = (folder / "model.safetensors").read_bytes()
        if (got := sha256(content).hexdigest()) != TEACHER:
            raise ValueError(f"{folder}/model.safetensors has sha256 {got}, expected {TEACHER}")
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder, use_safetensors=True).eval()

    def embed(self, texts: list[str]) -> np.ndarray:
        """float16 [n, 384]; each batch holds texts of one length, so that none is padded much."""
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), texts[i]))
        found = np.zeros((len(texts), DIMENSIONS), np.float16)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            tokens = self._tokenizer(
                [texts[i] for i in rows],
                padding=True,
                truncation=True,
                max_length=LONGEST,
                return_tensors="pt",
            )
            with torch.inference_mode():
                states = self._model(**tokens).last_hidden_state
                mask = tokens["attention_mask"][..., None]
                mean = (states * mask).sum(1) / mask.sum(1)
                found[rows] = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return found


def main() -> None:
    """Runs the command in the module's first lines."""
    asked = ask_paths(__doc__, "teacher", "cache")
    torch.set_num_threads(1)
    rows = pl.read_parquet(asked.cache / "clipart.parquet").with_row_index("picture")
    drawn = [
        {"kind": "caption", "picture": row["picture"], "text": text}
        for row in rows.iter_rows(named=True)
        for text in captions(row)
    ]
    frame = pl.DataFrame(
        [*drawn, *({"kind": "word", "picture": None, "text": word} for word in words())],
        schema={"kind": pl.String, "picture": pl.UInt32, "text": pl.String},
    )
    unique = frame["text"].unique().sort()
    vectors = Teacher(asked.teacher).embed(unique.to_list())
    teacher = pl.Series("teacher", vectors, dtype=pl.Array(pl.Float16, DIMENSIONS))
    embedded = pl.DataFrame({"text": unique, "teacher": teacher})
    frame.join(embedded, on="text", how="left", maintain_order="left").write_parquet(
        asked.cache / "texts.parquet"
    )
    print(f"{len(drawn)} captions, {len(frame) - len(drawn)} words, {len(unique)} texts")


if __name__ == "__main__":
    main()
