"""Every packaged model with its real weights, over drawn pictures."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataproc_assets.models.columns import metric_columns
from dataproc_assets.models.load import load_model, load_pass
from dataproc_assets_tests.models.pictures import decoded, jpeg, metric, scene

NAMES = ["clip", "softmax", "drawing", "tagger", "pixels", "caption"]
PICTURES = [decoded(scene(seed)) for seed in range(5)]


@pytest.fixture(scope="module")
def models():
    return load_pass([metric(name) for name in NAMES])


@pytest.fixture(scope="module")
def inputs(models):
    return [models.preprocess(picture) for picture in PICTURES]


@pytest.fixture(scope="module")
def alone(models, inputs):
    rows = [models.forward([one]) for one in inputs]
    return {name: pl.concat([row[name] for row in rows]) for name in NAMES}


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, len(PICTURES) - 1), min_size=1, max_size=7))
def test_a_row_is_the_same_bits_in_any_company(models, inputs, alone, order):
    together = models.forward([inputs[i] for i in order])
    for name in NAMES:
        expected = alone[name][order]
        assert together[name].equals(expected), name
        if name == "clip":
            assert (
                together[name]["clip_embedding"].to_numpy().tobytes()
                == expected["clip_embedding"].to_numpy().tobytes()
            )


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_those_the_configuration_promises(alone, name):
    assert alone[name].schema == metric_columns(metric(name))
    assert all(column.startswith(f"{name}_") for column in alone[name].columns)


def test_no_pictures_give_no_rows_of_the_same_types(models):
    assert {n: f.schema for n, f in models.forward([]).items()} == {
        n: m.columns for n, m in models.models.items()
    }
    assert all(len(frame) == 0 for frame in models.forward([]).values())


def test_metrics_of_one_encoder_share_it(models):
    backbones = {name: model.backbone for name, model in models.models.items()}
    assert backbones["clip"] is backbones["drawing"] is backbones["caption"]
    assert len(set(backbones.values())) == len(NAMES) - 2


def test_one_model_alone_gives_what_the_pass_gives(alone):
    model = load_model(metric("tagger"))
    frame = model.forward([model.preprocess(picture) for picture in PICTURES])
    assert frame.equals(alone["tagger"])


def test_embeddings_are_unit_vectors_and_near_only_for_copies(models, alone):
    embeddings = alone["clip"]["clip_embedding"].to_numpy().astype(np.float64)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=2e-3)
    copies = [decoded(jpeg(picture.image, 85)) for picture in PICTURES]
    again = models.forward([models.preprocess(copy) for copy in copies])["clip"]
    cosine = (embeddings * again["clip_embedding"].to_numpy().astype(np.float64)).sum(1)
    assert (cosine > 0.95).all()
    others = (embeddings @ embeddings.T)[np.triu_indices(len(PICTURES), 1)]
    assert others.max() < cosine.min()


@pytest.mark.parametrize("name", ["softmax", "drawing"])
def test_probabilities_sum_to_one(alone, name):
    assert alone[name].sum_horizontal().to_numpy() == pytest.approx(1, abs=2e-4)


def test_tags_are_sorted_and_above_their_floor(alone):
    for tags in alone["tagger"]["tagger_tags"].to_list():
        order = [(-tag["p"], tag["tag"]) for tag in tags]
        assert order == sorted(order)
        assert all(tag["p"] >= np.float32(0.1) and tag["category"] == "general" for tag in tags)


def test_a_picture_without_tags_has_an_empty_list(inputs, models):
    config = metric("tagger").model_copy(update={"floors": {"general": 1.0}})
    model = load_model(config)
    frame = model.forward([model.preprocess(PICTURES[0])] * 2)
    assert frame["tagger_tags"].to_list() == [[], []]


def test_only_captions_below_the_least_cosine_are_null():
    always = load_model(metric("caption").model_copy(update={"min_cosine": -1.0}))
    inputs = [always.preprocess(picture) for picture in PICTURES]
    texts, cosines = always.forward(inputs).get_columns()
    assert all(2 <= len(text.split()) <= 8 for text in texts)
    middle = float(cosines.median())  # type: ignore[arg-type]
    model = load_model(metric("caption").model_copy(update={"min_cosine": middle}))
    kept = model.forward(inputs)["caption_text"].to_list()
    expected = [t if c >= middle else None for t, c in zip(texts, cosines, strict=True)]
    assert kept == expected
    assert 0 < kept.count(None) < len(kept)


def test_classes_must_be_as_many_as_outputs():
    with pytest.raises(Exception, match=r"softmax\.yaml: classes names 3, the model has 2"):
        load_model(metric("softmax").model_copy(update={"classes": ["a", "b", "c"]}))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_bits_in_any_company_and_nearly_those_of_a_cpu(alone):
    model = load_model(metric("clip"), "cuda")
    inputs = [model.preprocess(picture) for picture in PICTURES]
    one = pl.concat([model.forward([array]) for array in inputs])
    order = [3, 1, 4, 0, 2]
    assert model.forward([inputs[i] for i in order]).equals(one[order])
    gpu, cpu = (f["clip_embedding"].to_numpy().astype(np.float64) for f in (one, alone["clip"]))
    assert (gpu * cpu).sum(1).min() > 0.999
