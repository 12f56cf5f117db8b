"""One image on a reader thread: read, decoded once, made the input of every model it needs."""

import time
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dataproc_assets.config.passes import PassConfig
from dataproc_assets.jobs.decode import DecodeError, decode
from dataproc_assets.jobs.pool import Ticket
from dataproc_assets.jobs.read import ReadError, read_image
from dataproc_assets.models.load import Pass


@dataclass(frozen=True)
class Request:
    """An image of a unit, its address, and the models that it needs.

    `is_last` marks the unit's last one, after which its parts are written without waiting for
    an image of the next unit.
    """

    unit: str
    image_key: str
    version: str
    uri: str
    offset: int | None
    length: int | None
    metrics: tuple[str, ...]
    models: Pass
    is_last: bool


@dataclass
class Prepared:
    """What came of a request: inputs of its models, or the reason why there are none."""

    request: Request
    status: Literal["ok", "failed", "retry"] = "ok"
    error: str | None = None
    inputs: list[np.ndarray] = field(default_factory=list)
    seconds_read: float = 0.0
    seconds_decode: float = 0.0


class Preparer:
    """Turns requests into prepared images under one configuration. Thread-safe."""

    def __init__(self, config: PassConfig) -> None:
        self._config = config

    def prepare(self, ticket: Ticket[Request, Prepared]) -> Prepared:
        """Read, decode, preprocess. Raises nothing that has to do with the image."""
        request, limits = ticket.item, self._config.decode
        start = time.monotonic()
        try:
            data = read_image(
                request.uri, request.offset, request.length, limits.max_bytes, self._config.read
            )
            read = time.monotonic()
            ticket.start_clock(limits.max_seconds)
            inputs = self._inputs(data, request.models)
        except ReadError as error:
            return Prepared(request, "retry", str(error), seconds_read=time.monotonic() - start)
        except DecodeError as error:
            return Prepared(request, "failed", str(error))
        return Prepared(
            request,
            inputs=inputs,
            seconds_read=read - start,
            seconds_decode=time.monotonic() - read,
        )

    def too_slow(self, request: Request) -> Prepared:
        """What stands for an image whose decoding was given up."""
        limit = self._config.decode.max_seconds
        return Prepared(request, "failed", f"too_slow: over {limit:g} s", seconds_decode=limit)

    def _inputs(self, data: bytes, models: Pass) -> list[np.ndarray]:
        image = decode(data, self._config.decode, self._config.decode.jpeg_side)
        try:
            return models.preprocess(image)
        except Exception as error:
            # One odd picture must not end the job; the reason is kept with its row.
            raise DecodeError(f"preprocess: {type(error).__name__}: {error}"[:200]) from error
