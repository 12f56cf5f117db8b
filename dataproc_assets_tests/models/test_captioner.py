"""A tiny CoCa with random weights: its texts are nonsense, but they are its own."""

import json

import numpy as np
import open_clip
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from dataproc_assets.models.captioner import plain_text
from dataproc_assets.models.columns import metric_columns
from dataproc_assets.models.load import load_model
from dataproc_assets.models.weights import WeightsError
from dataproc_assets_tests.models.made import (
    coca,
    coca_architecture,
    coca_captioner,
    pinned,
    tensors,
)
from dataproc_assets_tests.models.pictures import decoded, scene

PICTURES = [decoded(scene(seed)) for seed in range(8)]
START, END, POSITIONS = 49406, 49407, 12
P = "caption_mean_token_p"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return coca_captioner(tmp_path_factory.mktemp("coca"))


@pytest.fixture(scope="module")
def model(config):
    return load_model(config)


@pytest.fixture(scope="module")
def shown(model):
    return [model.preprocess(picture) for picture in PICTURES]


@pytest.fixture(scope="module")
def written(model, shown):
    return model.backbone.run(np.stack(shown))


def by_hand(image: np.ndarray, least: int, most: int) -> tuple[list[int], float]:
    """Greedy decoding where each step is a forward pass over all positions, filled up with pads."""
    network, tokens, probabilities = coca(), [START], []
    while len(tokens) <= most:
        whole = torch.tensor([tokens + [0] * (POSITIONS - len(tokens))])
        with torch.inference_mode():
            out = network(torch.from_numpy(image[None]), whole, output_labels=False)["logits"]
        assert out.shape[1] == POSITIONS
        logits = out[0, len(tokens) - 1].double()
        order = [i for i in logits.argsort(descending=True).tolist() if i not in (0, START)]
        best = order[0] if len(tokens) > least or order[0] != END else order[1]
        probabilities.append(logits.softmax(-1)[best].item())
        if best == END:
            break
        tokens.append(best)
    return tokens[1:], sum(probabilities) / len(probabilities)


def test_texts_and_their_p_are_those_of_full_forward_passes(shown, written):
    lengths = set()
    for image, row in zip(shown, written, strict=True):
        tokens, p = by_hand(image, 2, 8)
        assert row["tokens"].tolist() == tokens + [END] * (8 - len(tokens))
        assert row["p"] == pytest.approx(p, rel=1e-4)
        lengths.add(len(tokens))
    assert {2, 8} < lengths  # some end as soon as they may, some are cut off, some do neither


def test_a_row_is_the_same_in_any_company(model, shown):
    alone = pl.concat([model.forward([one]) for one in shown])
    assert alone["caption_text"].n_unique() > 3
    for order in ([4, 0, 2], [3, 3, 1, 0, 2, 7, 1]):
        assert model.forward([shown[i] for i in order]).equals(alone[order])


def test_a_text_that_ended_waits_for_the_others_of_its_batch(config, shown, written):
    """As on a GPU: batches of one size, the last one filled up."""
    other = load_model(config).backbone
    other._batch_size = 3
    together = other.run(np.stack(shown))
    assert (together["tokens"] == written["tokens"]).all()
    assert together["p"] == pytest.approx(written["p"], rel=1e-4)


def test_columns_are_text_and_mean_p(model, config, shown, written):
    frame = model.forward(shown)
    assert frame.schema == metric_columns(config)
    assert frame.columns == [config.text_column, P] == ["caption_text", P]
    texts = [plain_text(row.tolist()) for row in written["tokens"]]
    assert frame["caption_text"].to_list() == texts
    assert frame[P].to_list() == pytest.approx(written["p"].tolist(), abs=5.1e-5)


def test_the_least_and_the_most_tokens_are_kept(tmp_path, shown):
    def lengths(least: int, most: int) -> list[int]:
        model = load_model(coca_captioner(tmp_path, min_tokens=least, max_tokens=most))
        rows = model.backbone.run(np.stack(shown))["tokens"]
        return [int((row != END).sum()) for row in rows]

    assert min(lengths(1, 8)) < min(lengths(5, 8)) >= 5
    assert set(lengths(3, 3)) == {3}
    assert max(lengths(1, 12)) == 12  # all positions


def test_pads_and_the_start_are_never_written(tmp_path, shown):
    network = coca()
    with torch.no_grad():
        network.text_decoder.text_projection[:, [0, START]] *= 100
    weights = tensors(tmp_path / "pads.safetensors", network)
    model = load_model(coca_captioner(tmp_path, encoder={"weights": weights}))
    assert not np.isin(model.backbone.run(np.stack(shown))["tokens"], [0, START]).any()


def test_a_picture_that_gives_no_finite_number_has_no_text(model, shown):
    rows = model.forward([shown[0], np.full_like(shown[0], np.nan)])
    assert rows.row(1) == (None, None)
    assert rows[:1].equals(model.forward(shown[:1]))


def test_half_precision_is_computed_in_single(tmp_path, shown):
    half = coca().half()
    stored = tensors(tmp_path / "half.safetensors", half, torch.float16)
    whole = tensors(tmp_path / "whole.safetensors", half.float())
    one, two = (
        load_model(coca_captioner(tmp_path, encoder={"weights": file})).forward(shown)
        for file in (stored, whole)
    )
    assert one.equals(two)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a girl  with a hat", "a girl with a hat"),
        ("It's 2 cats, sleeping.", "it 's 2 cats , sleeping ."),
        ("", None),
    ],
)
def test_a_text_is_what_stands_before_its_end(text, plain):
    tokens = open_clip.SimpleTokenizer().encode(text)
    assert plain_text([*tokens, END, *tokens]) == plain
    assert plain_text(tokens) == plain


def test_letters_that_were_cut_off_are_left_out():
    tokens = open_clip.SimpleTokenizer().encode("cat 漢")
    assert plain_text(tokens) == "cat 漢"
    assert plain_text(tokens[:-1]) == "cat"


def test_a_model_is_found_by_the_name_that_open_clip_has(tmp_path, shown, written):
    (tmp_path / "coca_tiny.json").write_text(json.dumps(coca_architecture()))
    open_clip.add_model_config(tmp_path / "coca_tiny.json")
    named = coca_captioner(tmp_path, encoder={"model": "coca_tiny", "architecture": None})
    assert (load_model(named).backbone.run(np.stack(shown)) == written).all()
    with pytest.raises(WeightsError, match="no model 'coca_tyni'; did you mean 'coca_tiny'"):
        load_model(coca_captioner(tmp_path, encoder={"model": "coca_tyni", "architecture": None}))


def broken(**update) -> bytes:
    return json.dumps({**coca_architecture(), **update}).encode()


TEXT = coca_architecture()["text_cfg"]


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        (b"{", r"other\.json is no JSON object"),
        (broken(multimodal_cfg=None), "has no multimodal_cfg; a CoCa"),
        (broken(text_cfg={**TEXT, "hf_model_name": "roberta-base"}), "has hf_model_name"),
        (broken(vision_cfg={"timm_model_name": "resnet18"}), "has timm_model_name"),
        (broken(text_cfg={**TEXT, "vocab_size": 1000}), "vocab_size is 1000; CLIP's .* has 49408"),
        (broken(text_cfg={**TEXT, "width": 32, "heads": 4}), "does not fit the model"),
        (broken(colour="red"), "open_clip builds no CoCa"),
        (broken(text_cfg={**TEXT, "output_tokens": False}), "does not write about pictures"),
    ],
)
def test_an_architecture_that_is_no_such_coca_is_refused(tmp_path, architecture, said):
    file = pinned(tmp_path / "other.json", architecture)
    with pytest.raises(WeightsError, match=rf"conf/metrics/caption\.yaml: .*{said}"):
        load_model(coca_captioner(tmp_path, encoder={"architecture": file}))


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="max_tokens is 13, the model has 12 positions"):
        load_model(coca_captioner(tmp_path, max_tokens=13))
    with pytest.raises(ValidationError, match="min_tokens 9 is more than max_tokens 8"):
        coca_captioner(tmp_path, min_tokens=9)
    shown = {"side": 64, "mean": [127.5] * 3}
    with pytest.raises(WeightsError, match=r"pictures of 64x64; correct encoder\.input\.side"):
        load_model(coca_captioner(tmp_path, encoder={"input": shown}))
    good = coca_captioner(tmp_path).encoder.weights.uri
    with pytest.raises(WeightsError, match=r"encoder\.weights.*expected 0{64}"):
        load_model(coca_captioner(tmp_path, encoder={"weights": {"uri": good, "sha256": "0" * 64}}))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_writes_the_same_in_any_company(config, shown):
    model = load_model(config, "cuda")
    alone = pl.concat([model.forward([one]) for one in shown])
    order = [3, 1, 7, 0, 2]
    assert model.forward([shown[i] for i in order]).equals(alone[order])
