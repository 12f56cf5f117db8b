"""What a metric does not run on is not imported: it takes a worker seconds of processor time."""

import subprocess
import sys

import pytest

LIBRARIES = {"torch", "torchvision", "timm", "open_clip", "onnxruntime", "diffusers"}
CODE = """
import sys
from dataproc_assets.jobs import metric_pass
from dataproc_assets.models.load import load_model
from dataproc_assets_tests.models.pictures import metric
load_model(metric(sys.argv[1]))
print(*sys.modules)
"""


@pytest.mark.parametrize(("name", "needed"), [("pixels", set()), ("softmax", {"onnxruntime"})])
def test_a_worker_imports_what_its_metrics_run_on(name, needed):
    ran = subprocess.run(
        [sys.executable, "-c", CODE, name], capture_output=True, text=True, check=True
    )
    assert LIBRARIES & set(ran.stdout.split()) == needed
