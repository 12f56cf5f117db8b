"""Encoders of every form, with weights drawn on the spot."""

from dataproc_assets.models.load import load_model
from dataproc_assets_tests.models.pictures import metric


def test_metrics_of_one_encoder_at_different_lines_share_it():
    clip = metric("clip")
    weights = clip.encoder.weights.model_copy(update={"place": "conf/metrics/other.yaml:9"})
    encoder = clip.encoder.model_copy(update={"weights": weights})
    other = clip.model_copy(update={"encoder": encoder, "name": "other"})
    assert encoder != clip.encoder
    assert load_model(clip).backbone is load_model(other).backbone
