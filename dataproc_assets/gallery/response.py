"""What a request is answered with."""

from dataclasses import dataclass
from http import HTTPStatus

HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """Status, content type and body."""

    status: HTTPStatus
    kind: str
    body: bytes
