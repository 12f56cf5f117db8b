"""A row of the train table as a WebDataset sample."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from dataproc_assets.release.tars import Sample, sample_name

Read = Callable[[str, int | None, int | None], bytes]

FIELDS = [
    "image_id",
    "representative",
    "sources",
    "sha256",
    "width",
    "height",
    "rating",
    "tier",
    "year",
    "artist",
    "ai",
    "title",
    "caption",
]


class ChangedImageError(Exception):
    """An address no longer gives the bytes that were scored."""


def to_sample(row: dict[str, Any], image: bytes, recipes: list[str]) -> Sample:
    """The image's bytes as they are, `.json` with its metadata and all prompts, `.txt`.

    The text is the first recipe's first prompt.
    """
    extension = row["file_name"].rpartition(".")[2]
    meta = canonical_json(metadata(row, recipes))
    text = first_prompt(row, recipes[0]).encode()
    return Sample(sample_name(row["image_id"]), [(extension, image), ("json", meta), ("txt", text)])


def metadata(row: dict[str, Any], recipes: list[str]) -> dict[str, Any]:
    """What a sample's JSON says: FIELDS, the tags' names, and every recipe's prompts."""
    meta = {name: row[name] for name in FIELDS}
    meta["tags"] = [tag["tag"] for tag in row["tags"] or []]
    meta["prompts"] = {recipe: row[f"prompts__{recipe}"] for recipe in recipes}
    return meta


def first_prompt(row: dict[str, Any], recipe: str) -> str:
    """The prompt of the recipe's first variant."""
    return row[f"prompts__{recipe}"][0]


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys: the same value gives the same bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()


def read_images(read: Read, rows: Iterable[dict[str, Any]], threads: int) -> Iterator[bytes]:
    """The images' bytes in the order of the rows, at most `threads` + 1 of them ahead.

    Raises ChangedImageError where the bytes are not those of the row's `sha256`.
    """

    def one(row: dict[str, Any]) -> bytes:
        data = read(row["uri"], row["offset"], row["length"])
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise ChangedImageError(
                f"{row['uri']}: the bytes of {row['representative']} are not those that were "
                f"scored (sha256 {row['sha256']}); run intake and the metrics of its source again"
            )
        return data

    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for row in rows:
                waiting.append(pool.submit(one, row))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
