"""A worker's progress file: what is done, replaced whole about every second."""

import json
import time
from collections import Counter
from pathlib import Path


class ProgressFile:
    """`progress-{rank}.json`: done, total, errors by kind, images_per_second, parts."""

    def __init__(self, folder: Path, rank: int, total: int, every_seconds: float = 1.0) -> None:
        self.path = folder / f"progress-{rank}.json"
        self.total = total
        self.done = 0
        self.parts = 0
        self.errors: Counter[str] = Counter()
        self._skipped = 0
        self._every = every_seconds
        self._start = self._written = time.monotonic()
        self.write()

    def add(self, error: str | None) -> None:
        """Count one image. The kind of an error is what stands before its first colon."""
        self.done += 1
        if error is not None:
            self.errors[error.partition(":")[0]] += 1
        if time.monotonic() - self._written >= self._every:
            self.write()

    def skip(self) -> None:
        """Count an image that was done before; it takes no part in the rate."""
        self.done += 1
        self._skipped += 1

    def write(self) -> None:
        """Replace the file; a reader sees the old one or the new one."""
        self._written = time.monotonic()
        seconds = self._written - self._start
        state = {
            "done": self.done,
            "total": self.total,
            "errors": dict(sorted(self.errors.items())),
            "images_per_second": (self.done - self._skipped) / seconds if seconds else 0.0,
            "parts": self.parts,
        }
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(state), encoding="utf-8")
        temporary.replace(self.path)
