"""The figures of the model cards, measured on pictures that no training has seen.

    python -m training.measure --material DIR [--only clip --only vae ...]

Loads the shipped weights as a pass does, and writes each figure into its card, between the lines
`<!-- figures -->` and `<!-- end -->`, and all of them into `figures.json`.
"""

import argparse
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch

from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.models.encoder import load_clip
from training import measure_captions, measure_clip, measure_drawing, measure_score, measure_tagger
from training.embed import text_embeddings
from training.material import clipart, novel
from training.measure_vae import vae_figures, vae_sheet, vae_table
from training.seen import Models, embeddings
from training.train_tagger import targets, vocabulary

WEIGHTS = CONF.parent / "models" / "weights"
BEGIN, END = "<!-- figures -->\n", "<!-- end -->\n"


class Measuring:
    """The models, the unseen pictures, and what the models say of them."""

    def __init__(self, material: Path) -> None:
        self.material = material
        self.project = load_project(profile="local")
        self.rows = clipart(material)
        self.unseen = self.rows.filter(fold="unseen")
        self.paths = [material / path for path in self.unseen["path"]]

    @cached_property
    def models(self) -> Models:
        """The metrics that look at every picture."""
        return Models(self.project, ["clip", "tagger", "drawing"])

    @cached_property
    def said(self) -> pl.DataFrame:
        """What they say of the unseen pictures, a row a picture."""
        return self.models.look_at_files(self.paths)

    def clip(self) -> dict:
        """Searching by text; copies and strangers."""
        sought = measure_clip.searched(self.unseen, measure_clip.SEARCHED)
        model = load_clip(self.project.metrics["clip"].encoder, "conf/metrics/clip.yaml")
        texts = text_embeddings(model, sought["caption"].to_list())
        images = embeddings(self.said)[sought["row"].to_numpy()]
        found = measure_clip.recalls(texts, images)
        return {
            "text to image": {"pictures": len(sought), **found},
            "nearness": measure_clip.nearness(
                self.models, self.paths[:: len(self.paths) // measure_clip.PROBED]
            ),
        }

    def score(self) -> dict:
        """A picture against a symbol."""
        drawn = self.models.look_at_files(novel(self.material))["clip_score"].to_numpy()
        score = self.said["clip_score"].to_numpy()
        return measure_score.figures(score, measure_score.sides(self.unseen), drawn)

    def tagger(self) -> dict:
        """Keywords."""
        words = vocabulary(self.rows)["keyword"].to_list()
        names = [word.replace(" ", "_") for word in words]
        p = np.zeros((len(self.said), len(names)), np.float32)
        place = {name: column for column, name in enumerate(names)}
        for row, tags in enumerate(self.said["tagger_tags"]):
            for tag in tags:
                p[row, place[tag["tag"]]] = tag["p"]
        return measure_tagger.figures(p, targets(self.unseen, words), names)

    def drawing(self) -> dict:
        """Kinds of drawings."""
        labelled = measure_drawing.kinds(self.unseen.with_row_index("row"), self.material)
        truth = np.array([measure_drawing.KINDS.index(kind) for kind in labelled["kind"]])
        columns = [f"drawing_{kind}" for kind in measure_drawing.KINDS]
        found = self.said[labelled["row"].to_list()].select(columns).to_numpy().argmax(1)
        return measure_drawing.figures(truth, found)

    def caption(self) -> dict:
        """The nearest caption of the bank."""
        late = Models(self.project, ["caption"]).look_at_files(self.paths)
        return measure_captions.figures(self.unseen, late)

    def vae(self) -> dict:
        """What the autoencoder gives back."""
        vae_sheet(self.material, WEIGHTS, WEIGHTS / "vae.png")
        return vae_figures(self.material, WEIGHTS)


TABLES: dict[str, Callable[[dict], str]] = {
    "clip": measure_clip.table,
    "score": measure_score.table,
    "tagger": measure_tagger.table,
    "drawing": measure_drawing.table,
    "caption": measure_captions.table,
    "vae": vae_table,
}


def write_card(card: Path, section: str) -> None:
    """Puts a section between the card's two marks."""
    before, _, rest = card.read_text("utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{card}: the lines {BEGIN.strip()} and {END.strip()} are missing")
    card.write_text(f"{before}{BEGIN}{section}\n{END}{after}", "utf-8")


def rounded(value: object) -> object:
    """Floats to four decimals, at whatever depth."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=list(TABLES))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    path = WEIGHTS / "figures.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    measuring = Measuring(asked.material)
    for name in asked.only or TABLES:
        known[name] = rounded(getattr(measuring, name)())
        write_card(WEIGHTS / f"{name}.md", TABLES[name](known[name]))
        print(f"## {name}\n{TABLES[name](known[name])}\n", flush=True)
        path.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
