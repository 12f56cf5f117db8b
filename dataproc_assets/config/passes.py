"""What the metric pass is told, and the name of the folder that its parts go to."""

import hashlib
import json
from typing import Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.runners import DecodeConfig
from dataproc_assets.config.workers import ReadConfig

DECODE_VERSION = 1  # raise it when a change of the decoder changes pictures


class PassConfig(StrictModel):
    """One run of the metric pass over the unit files of one source.

    `device`, `threads`, `readers`, `compile` and `read` are the runner's to say, the rest the
    caller's.
    """

    storage: str = Field(min_length=1)
    source: str = Field(min_length=1)
    metrics: list[MetricConfig] = Field(min_length=1)
    decode: DecodeConfig
    device: Literal["cpu", "cuda"]
    threads: int = Field(ge=1)
    readers: int = Field(ge=1)
    compile: bool = False
    read: ReadConfig


def part_fingerprint(metric: MetricConfig, decode: DecodeConfig) -> str:
    """16 hex digits: the metric's fingerprint, and what decoding does to every picture.

    The limits of decoding take no part: raising one must not make every image be scored again.
    """
    values = [fingerprint(metric), decode.background, decode.jpeg_side, DECODE_VERSION]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
