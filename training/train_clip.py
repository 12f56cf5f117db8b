"""The CLIP model: the upper stages of an image trunk, a projection and a text tower.

    python -m training.train_clip --checkpoint efficientnet-lite0.pth --cache DIR \
        --out dataproc_assets/models/weights

Reads the caches of `training.features` and `training.texts`. The text tower first learns what the
teacher knows of words; then the trunk learns to see drawings; then, on a trunk half way back to
the published one, projection and text tower are trained together.
"""

import json
from copy import deepcopy
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip import SimpleTokenizer
from safetensors.torch import save_file
from torch.nn.functional import normalize

from training.clip_parts import SEED, Images, start_projection, text_parameters
from training.command import ask_paths
from training.corpus import Pictures, Texts, read_pictures, read_texts
from training.efficientnet import load_trunk
from training.learn_words import learn_words
from training.measure_clip import recall, searched
from training.settle import half_way, lift_copies, settle
from training.tune_trunk import Tuning
from training.views import LEARNED


def settle_down(
    model: open_clip.CLIP,
    images: Images,
    published: torch.nn.Module,
    reading: torch.nn.Linear,
    knows_words: tuple[dict[str, Any], dict[str, Any]],
    pictures: Pictures,
    texts: Texts,
    rows: np.ndarray,
) -> None:
    """The third stage, from the text tower that the first one left."""
    half_way(model.visual.trunk, published)
    names = {id(p): name for name, p in model.named_parameters()}
    with torch.no_grad():
        for parameter in text_parameters(model):
            parameter.copy_(knows_words[0][names[id(parameter)]])
    reading.load_state_dict(knows_words[1])
    views = {view: images.features(pictures, rows, view) for view in LEARNED}
    settle(model, images.projection, reading, views, texts, rows)
    lift_copies(images.projection, views["original"], views["altered"])


def main() -> None:
    """Runs the command in the module's first lines."""
    asked = ask_paths(__doc__, "checkpoint", "cache", "out")
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    architecture = json.loads((asked.out / "clip.json").read_text())
    model = open_clip.CLIP(**architecture)
    model.eval()  # the trunk's batch statistics stay those of ImageNet
    pictures = read_pictures(asked.cache)
    texts = read_texts(asked.cache, model.context_length)
    rows, held = pictures.of("training"), pictures.of("validation")
    captions = searched(pictures.rows[held])
    tokens = SimpleTokenizer(context_length=model.context_length)(captions["caption"].to_list())
    images = Images(model.visual.trunk, model.visual.head.proj)

    @torch.no_grad()
    def watch() -> str:
        text = normalize(model.encode_text(tokens), dim=-1)
        seen = images.embed(pictures, held[captions["row"].to_numpy()])
        return f"validation recall@5 of {len(captions)}: {recall(text, seen, 5):.3f}"

    reading = learn_words(model, texts, rows)
    knows_words = deepcopy((model.state_dict(), reading.state_dict()))
    trunk = load_trunk(asked.checkpoint)
    trunk.reset_classifier(0)  # type: ignore[operator]
    model.visual.trunk.load_state_dict(trunk.state_dict(), strict=True)
    start_projection(images.projection, images.features(pictures, rows, "original"))
    Tuning(model, images, pictures, texts).run(reading, rows, watch)
    # Settings were chosen on the validation pictures; now these are learned from as well.
    both = np.union1d(rows, held)
    settle_down(model, images, trunk, reading, knows_words, pictures, texts, both)
    # Biases and batch statistics are few, and some variances are too small for 16 bits.
    tensors = {
        name: tensor.half() if tensor.ndim > 1 else tensor
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, asked.out / "clip.safetensors")


if __name__ == "__main__":
    main()
