"""What a metric does not run on is not imported: it takes a worker seconds of processor time."""

import subprocess
import sys

import pytest

from dataproc_assets_tests.models.made import tagger

LIBRARIES = {"torch", "torchvision", "timm", "open_clip", "onnxruntime", "diffusers"}
CODE = """
import sys
from dataproc_assets.jobs import metric_pass
from dataproc_assets.models.load import load_model
from dataproc_assets_tests.models.pictures import METRIC, metric
asked = sys.argv[1]
load_model(METRIC.validate_json(asked) if asked[0] == "{" else metric(asked))
print(*sys.modules)
"""


@pytest.mark.parametrize(("name", "needed"), [("pixels", set()), ("softmax", {"onnxruntime"})])
def test_a_worker_imports_what_its_metrics_run_on(name, needed):
    assert imported(name) == needed


def test_a_taggers_backend_imports_no_other(tmp_path):
    asked = {kind: tagger(tmp_path, kind).model_dump_json() for kind in ("onnx", "timm")}
    assert imported(asked["onnx"]) == {"onnxruntime"}
    assert imported(asked["timm"]) == {"timm", "torch", "torchvision"}  # timm takes the last


def imported(asked: str) -> set[str]:
    """What a worker that loads a metric, by name or as JSON, has imported of the libraries."""
    ran = subprocess.run(
        [sys.executable, "-c", CODE, asked], capture_output=True, text=True, check=True
    )
    return LIBRARIES & set(ran.stdout.split())
