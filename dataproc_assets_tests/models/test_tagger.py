"""A WD-shaped tagger, as timm's network and as an ONNX export of the same one."""

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from dataproc_assets.models.columns import TAGS, metric_columns
from dataproc_assets.models.load import load_model
from dataproc_assets.models.weights import WeightsError
from dataproc_assets_tests.models.made import (
    CATEGORIES,
    FLOORS,
    RATINGS,
    ROWS,
    SIDE,
    csv_of,
    network,
    pinned,
    tagger,
    tensors,
)
from dataproc_assets_tests.models.pictures import decoded, scene

PICTURES = [decoded(scene(seed)) for seed in range(5)]
BACKENDS = ["timm", "onnx"]
NAMES = [name.replace(" ", "_") for _, name, *_ in ROWS]
RATING_COLUMNS = [f"tagger_rating_{name}" for name in RATINGS]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagger")
    return {backend: tagger(folder, backend) for backend in BACKENDS}


@pytest.fixture(scope="module")
def models(made):
    return {backend: load_model(config) for backend, config in made.items()}


def forward(model) -> pl.DataFrame:
    return model.forward([model.preprocess(picture) for picture in PICTURES])


@pytest.fixture(scope="module")
def by_hand() -> np.ndarray:
    """Probabilities [pictures, outputs]: on white, BGR, -1..1, through the network, sigmoid."""
    squares = []
    for picture in PICTURES:
        white = Image.new("RGB", (320, 320), "white")
        white.paste(picture.image, (0, 40))  # of 320 x 240 pixels
        squares.append(np.asarray(white.resize((SIDE, SIDE), 3), np.float32))
    shown = np.stack(squares)[..., ::-1].transpose(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        rows = [network(len(ROWS))(torch.from_numpy(one[None].copy())) for one in shown]
    return torch.cat(rows).double().sigmoid().numpy()


@pytest.mark.parametrize("backend", BACKENDS)
def test_tags_are_those_over_their_floor_worked_out_by_hand(made, models, by_hand, backend):
    found = forward(models[backend])
    assert found.schema == metric_columns(made[backend])
    assert found.columns == ["tagger_tags", *RATING_COLUMNS]
    categories = [CATEGORIES[number] for *_, number, _ in ROWS]
    for tags, p in zip(found["tagger_tags"].to_list(), by_hand, strict=True):
        expected = {
            (name, category): one
            for name, category, one in zip(NAMES, categories, p, strict=True)
            if category != "rating" and one >= 0.2
        }
        got = {(tag["tag"], tag["category"]): tag["p"] for tag in tags}
        assert got.keys() == expected.keys()
        assert all(got[key] == pytest.approx(expected[key], abs=2e-4) for key in expected)
        order = [(-tag["p"], tag["tag"]) for tag in tags]
        assert order == sorted(order)
    counts = found["tagger_tags"].list.len()
    assert counts.n_unique() > 1  # the pictures are told apart


@pytest.mark.parametrize("backend", BACKENDS)
def test_ratings_are_columns_and_never_tags(models, by_hand, backend):
    found = forward(models[backend])
    ratings = found.select(RATING_COLUMNS)
    assert ratings.null_count().sum_horizontal().item() == 0
    assert np.abs(ratings.to_numpy() - by_hand[:, : len(RATINGS)]).max() < 2e-4
    tags = found["tagger_tags"].explode().struct.field("tag")
    assert not set(tags) & set(RATINGS)


def test_both_backends_give_the_same_tags_within_rounding(models):
    one, two = (forward(models[backend]) for backend in BACKENDS)
    for ours, theirs in zip(one["tagger_tags"], two["tagger_tags"], strict=True):
        mine, other = ({t["tag"]: t["p"] for t in tags} for tags in (ours, theirs))
        assert mine == pytest.approx(other, abs=2.1e-4)
    ratings = [frame.select(RATING_COLUMNS).to_numpy() for frame in (one, two)]
    assert np.abs(ratings[0] - ratings[1]).max() < 2.1e-4


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_is_the_same_bits_in_any_company(models, backend):
    model = models[backend]
    shown = [model.preprocess(picture) for picture in PICTURES]
    alone = pl.concat([model.forward([one]) for one in shown])
    for order in ([4, 0, 2], [3, 3, 1, 0, 2, 4, 1]):
        assert model.forward([shown[i] for i in order]).equals(alone[order])


@pytest.mark.parametrize("backend", BACKENDS)
def test_on_a_cpu_the_batch_size_does_not_change_a_bit(tmp_path, backend):
    one, five = (tagger(tmp_path, backend, batch_size=size, decimals=9) for size in (1, 5))
    assert forward(load_model(one)).equals(forward(load_model(five)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_picture_without_a_finite_output_has_neither_tags_nor_an_empty_list(models, backend):
    model = models[backend]
    shown = [model.preprocess(picture) for picture in PICTURES[:2]]
    rows = model.forward([np.full_like(shown[0], np.nan), shown[1]])
    assert rows.row(0) == (None,) * 5
    assert rows[1:].equals(model.forward(shown[1:]))


def test_without_ratings_too_nan_is_no_empty_list(tmp_path):
    model = load_model(tagger(tmp_path, "timm", ratings=[]))
    shown = model.preprocess(PICTURES[0])
    assert model.forward([np.full_like(shown, np.nan)]).rows() == [(None,)]


def test_a_category_without_a_floor_is_left_out_and_must_be_said(tmp_path):
    floors = {**FLOORS, "artist": None, "general": 0.0}
    tags = forward(load_model(tagger(tmp_path, "timm", floors=floors)))["tagger_tags"].explode()
    found = set(tags.struct.field("category"))
    assert "artist" not in found and "general" in found
    missing = {name: least for name, least in FLOORS.items() if name not in ("meta", "artist")}
    with pytest.raises(WeightsError, match=r"floors lacks artist, meta; .*null to leave"):
        load_model(tagger(tmp_path, "timm", floors=missing))


def test_without_a_tag_over_its_floor_the_list_is_empty(tmp_path):
    rows = forward(load_model(tagger(tmp_path, "timm", floors=dict.fromkeys(FLOORS, 1.0))))
    assert rows["tagger_tags"].to_list() == [[]] * 5 and rows.schema["tagger_tags"] == TAGS


def test_ratings_can_be_left_out_but_not_in_part(tmp_path):
    none = tagger(tmp_path, "timm", ratings=[])
    rows = forward(load_model(none))
    assert rows.columns == ["tagger_tags"] == list(metric_columns(none))
    assert not set(rows["tagger_tags"].explode().struct.field("tag")) & set(RATINGS)
    with pytest.raises(WeightsError, match="ratings is general, selected_tags has general, sens"):
        load_model(tagger(tmp_path, "timm", ratings=["general"]))
    wrong = [*RATINGS[:3], "explicite"]
    with pytest.raises(WeightsError, match=r"did you mean 'explicit'"):
        load_model(tagger(tmp_path, "timm", ratings=wrong))
    turned = forward(load_model(tagger(tmp_path, "timm", ratings=RATINGS[::-1])))
    assert turned.columns[1:] == RATING_COLUMNS[::-1]
    straight = forward(load_model(tagger(tmp_path, "timm")))
    assert turned.select(RATING_COLUMNS).equals(straight.select(RATING_COLUMNS))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_vocabulary_must_be_as_long_as_the_models_outputs(tmp_path, backend):
    short = pinned(tmp_path / "short.csv", csv_of(ROWS[:-1]))
    said = "another number of outputs" if backend == "timm" else "has 13, the model has 14 outputs"
    with pytest.raises(WeightsError, match=rf"tagger\.yaml: .*{said}"):
        load_model(tagger(tmp_path, backend, selected_tags=short))


@pytest.mark.parametrize(
    ("backend", "update", "said"),
    [
        ("timm", {"model": None}, "backend timm needs `model`"),
        ("timm", {"output": "probabilities"}, "write `output: logits`"),
        ("onnx", {"model": "test_vit"}, "backend onnx takes no `model`"),
        ("onnx", {"model_args": {"img_size": 64}}, "backend onnx takes no `model`"),
        ("timm", {"floors": {}}, "floors"),
        ("timm", {"floors": {"species": 0.1}}, "floors"),
        ("timm", {"floors": {"general": 1.5}}, "floors"),
        ("timm", {"ratings": ["general", "general"]}, "ratings names one twice"),
        ("torch", {}, "backend"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(made, backend, update, said):
    values = made.get(backend, made["timm"]).model_dump() | {"backend": backend, **update}
    with pytest.raises(ValidationError, match=said):
        type(made["timm"]).model_validate(values)


def test_floors_are_a_key_that_must_be_there(made):
    values = made["timm"].model_dump()
    del values["floors"]
    with pytest.raises(ValidationError, match=r"floors\n.*Field required"):
        type(made["timm"]).model_validate(values)


def test_another_architecture_and_another_digest_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="did you mean 'test_efficientnet'"):
        load_model(tagger(tmp_path, "timm", model="test_eficientnet"))
    other = tensors(tmp_path / "o.safetensors", network(len(ROWS), architecture="test_resnet"))
    with pytest.raises(WeightsError, match="another architecture"):
        load_model(tagger(tmp_path, "timm", weights=other))
    for backend in BACKENDS:
        good = tagger(tmp_path, backend).weights.model_dump(include={"uri"})
        with pytest.raises(WeightsError, match=r"tagger\.yaml: weights.*expected 0{64}"):
            load_model(tagger(tmp_path, backend, weights={**good, "sha256": "0" * 64}))
