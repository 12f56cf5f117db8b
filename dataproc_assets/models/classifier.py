"""An ONNX classifier as a backbone: pictures in, probabilities out."""

import numpy as np
import onnxruntime

from dataproc_assets.config.metrics import OnnxClassifier
from dataproc_assets.models.base import DecodedImage, in_fixed_batches
from dataproc_assets.models.images import to_input
from dataproc_assets.models.weights import WeightsError, read_verified

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxBackbone:
    """Runs the session. On a CPU one picture at a time, on a GPU in batches of one size."""

    def __init__(self, config: OnnxClassifier, where: str, device: str, threads: int) -> None:
        provider = _PROVIDERS[device.partition(":")[0]]
        if provider not in onnxruntime.get_available_providers():
            provider = _PROVIDERS["cpu"]
        self._batch_size = 1 if provider == _PROVIDERS["cpu"] else config.batch_size
        self._input = config.input
        self._session = onnxruntime.InferenceSession(
            read_verified(config.weights, f"{where}: weights"),
            _session_options(threads),
            providers=[provider],
        )
        self._name = self._session.get_inputs()[0].name
        outputs = self._session.get_outputs()[0].shape[-1]
        if outputs != len(config.classes):
            raise WeightsError(
                f"{where}: classes names {len(config.classes)}, the model has {outputs} outputs"
            )

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """float32, in the layout of the configuration."""
        return to_input(image.image, self._input)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """float32 [n, classes]."""
        return in_fixed_batches(self._probabilities, batch, self._batch_size)

    def _probabilities(self, block: np.ndarray) -> np.ndarray:
        return np.asarray(self._session.run(None, {self._name: block})[0], np.float32)


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait would take the cores from the readers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
