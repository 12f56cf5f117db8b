import numpy as np
import open_clip
import pytest
import torch
from torch.nn.functional import normalize

from training import settle as stage
from training.clip_parts import CONSTANT
from training.corpus import Texts
from training.views import LEARNED

PICTURES, DIMENSIONS = 24, 16
ARCHITECTURE = {
    "embed_dim": DIMENSIONS,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "head_width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1},
}


def settled(monkeypatch) -> tuple[torch.nn.Linear, dict[str, torch.Tensor]]:
    """A projection and its views after two short epochs, from the same beginning each time."""
    monkeypatch.setattr(stage, "EPOCHS", 2)
    monkeypatch.setattr(stage, "BATCH", 8)
    torch.set_num_threads(1)
    torch.manual_seed(5)
    model = open_clip.CLIP(**ARCHITECTURE).eval()
    projection, reading = torch.nn.Linear(40, DIMENSIONS), torch.nn.Linear(DIMENSIONS, 12)
    base = torch.randn(PICTURES, 40)
    views = {view: base + 0.1 * torch.randn(PICTURES, 40) for view in LEARNED}
    texts = Texts(
        tokens=torch.randint(1, 64, (100, 8)),
        teacher=normalize(torch.randn(100, 12), dim=-1),
        captions=torch.arange(PICTURES * 2).reshape(PICTURES, 2),
        words=np.arange(PICTURES * 2, 100),
    )
    stage.settle(model, projection, reading, views, texts, np.arange(PICTURES))
    return projection, views


def test_settling_twice_gives_the_same_bytes(monkeypatch):
    one, two = settled(monkeypatch)[0], settled(monkeypatch)[0]
    assert one.weight.detach().numpy().tobytes() == two.weight.detach().numpy().tobytes()
    assert torch.equal(one.bias, two.bias)


def test_the_constant_component_stays_one(monkeypatch):
    projection, _ = settled(monkeypatch)
    assert projection.weight[-1].abs().max() == 0
    assert projection.bias[-1].item() == pytest.approx(CONSTANT)


def test_copies_are_lifted_to_the_line_and_keep_their_order(monkeypatch):
    projection, views = settled(monkeypatch)
    original, altered = views["original"], views["original"] + torch.randn(PICTURES, 40)

    def cosines() -> torch.Tensor:
        pair = [normalize(projection(view), dim=-1) for view in (original, altered)]
        return (pair[0] * pair[1]).sum(-1)

    with torch.no_grad():
        before = cosines()
        stage.lift_copies(projection, original, altered)
        after = cosines()
    assert before.quantile(stage.FAR) < stage.NEAR <= after.quantile(stage.FAR)
    assert (after >= before).all()
