"""An ONNX network as a backbone: pictures in, what it gives out."""

import numpy as np
import onnxruntime

from dataproc_assets.config.encoders import ImageInput
from dataproc_assets.config.weights import File
from dataproc_assets.models.base import DecodedImage, in_fixed_batches
from dataproc_assets.models.images import to_input
from dataproc_assets.models.weights import WeightsError, fault, read_verified

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxBackbone:
    """Runs the session. On a CPU one picture at a time, on a GPU in batches of one size.

    `outputs` is the number of the model's outputs a picture.

    Raises:
        WeightsError: the file cannot be used, or the model does not take such an input.
    """

    def __init__(
        self,
        weights: File,
        shown: ImageInput,
        where: str,
        *,
        device: str,
        threads: int,
        batch_size: int,
    ) -> None:
        provider = _PROVIDERS[device.partition(":")[0]]
        if provider not in onnxruntime.get_available_providers():
            provider = _PROVIDERS["cpu"]
        self._batch_size = 1 if provider == _PROVIDERS["cpu"] else batch_size
        self._input = shown
        content = read_verified(weights, f"{where}: weights")
        try:
            self._session = onnxruntime.InferenceSession(
                content, _session_options(threads), providers=[provider]
            )
        except Exception as error:  # its errors have no class in common but this
            raise fault(
                weights,
                f"{where}: weights",
                f"onnxruntime cannot load {weights.uri} (weights outside of the .onnx file are "
                f"not read): {error}",
            ) from error
        self._name = self._session.get_inputs()[0].name
        self.outputs = self._try_once(where)

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """float32, in the layout of the configuration."""
        return to_input(image.image, self._input)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """float32 [n, outputs]: the model's first output."""
        return in_fixed_batches(self._forward, batch, self._batch_size)

    def _forward(self, block: np.ndarray) -> np.ndarray:
        return np.asarray(self._session.run(None, {self._name: block})[0], np.float32)

    def _try_once(self, where: str) -> int:
        """The outputs a picture, found by running one: a file may leave its shapes open."""
        side = self._input.side
        shape = (side, side, 3) if self._input.layout == "nhwc" else (3, side, side)
        try:
            outputs = self.run(np.zeros((1, *shape), np.float32))
        except Exception as error:
            takes = self._session.get_inputs()[0]
            raise WeightsError(
                f"{where}: the model takes {takes.type} {takes.shape}, input gives float32 "
                f"{[self._batch_size, *shape]}; correct side and layout ({error})"
            ) from error
        if outputs.ndim != 2:
            raise WeightsError(f"{where}: the model gives {outputs.shape[1:]} a picture, not a row")
        return outputs.shape[1]


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait would take the cores from the readers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
