"""What the metric pass is told, and the name of the folder that its parts go to."""

import hashlib
import json

from pydantic import Field

from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.runners import DecodeConfig
from dataproc_assets.config.workers import PlaceConfig

DECODE_VERSION = 1  # raise it when a change of the decoder changes pictures


class PassConfig(PlaceConfig):
    """One run of the metric pass over the unit files of one source."""

    storage: str = Field(min_length=1)
    source: str = Field(min_length=1)
    metrics: list[MetricConfig] = Field(min_length=1)
    decode: DecodeConfig


def part_fingerprint(metric: MetricConfig, decode: DecodeConfig) -> str:
    """16 hex digits: the metric's fingerprint, and what decoding does to every picture.

    The limits of decoding take no part: raising one must not make every image be scored again.
    """
    values = [fingerprint(metric), decode.background, decode.jpeg_side, DECODE_VERSION]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
