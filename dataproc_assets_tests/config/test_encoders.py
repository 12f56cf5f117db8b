import pytest
from pydantic import ValidationError

from dataproc_assets.config.encoders import Encoder, ImageInput
from dataproc_assets.config.weights import File

INPUT = {"side": 224, "mean": [127.5] * 3}
FILE = {"uri": "/a.json", "sha256": "a" * 64}


def encoder(**changes) -> Encoder:
    return Encoder.model_validate({"model": "ViT-L-14", "weights": FILE, "input": INPUT, **changes})


@pytest.mark.parametrize("form", [{"model": None}, {"architecture": FILE}])
def test_an_encoder_has_one_architecture(form):
    with pytest.raises(ValidationError, match="give one of model"):
        encoder(**form)


@pytest.mark.parametrize("name", ["hf-hub:laion/CLIP", "local-dir:/tmp", "a/b"])
def test_a_model_is_a_name_and_no_place(name):
    with pytest.raises(ValidationError, match="match pattern"):
        encoder(model=name)


def test_the_key_is_equal_where_the_values_are():
    moved = File(uri="/b.json", sha256="a" * 64, place="conf/metrics/x.yaml:9")
    assert encoder(weights=moved).key() == encoder().key()
    others = {
        encoder().key(),
        encoder(model="ViT-L-14-quickgelu").key(),
        encoder(weights=FILE | {"sha256": "b" * 64}).key(),
        encoder(input=INPUT | {"fit": "crop"}).key(),
        encoder(model=None, architecture=FILE).key(),
    }
    assert len(others) == 5


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValidationError, match="resize 100 is smaller than side 224"):
        ImageInput.model_validate(INPUT | {"resize": 100})
    with pytest.raises(ValidationError, match="leave resize out"):
        ImageInput.model_validate(INPUT | {"resize": 256, "fit": "pad"})
    with pytest.raises(ValidationError, match="'squash', 'crop' or 'pad'"):
        ImageInput.model_validate(INPUT | {"fit": "stretch"})
