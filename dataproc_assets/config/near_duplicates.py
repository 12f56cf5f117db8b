"""What a job that searches near-duplicates is told, and the name of the folder it writes to."""

import hashlib
import json

from pydantic import Field

from dataproc_assets.config.dedup import DetailConfig, SearchConfig
from dataproc_assets.config.workers import PlaceConfig

SEARCH_VERSION = 1  # raise it when a change of the code changes the pairs
DETAIL_VERSION = 1  # and this one when it changes the distance of two thumbnails


class SearchJobConfig(PlaceConfig):
    """One run of the search over pairs of segments.

    Attributes:
        storage: the root of the store.
        segments: the folder of the segments.
        pairs: the folder that the pairs of each two segments go to.
        cosine: what a pair reaches.
        search: how the work is cut.
    """

    storage: str = Field(min_length=1)
    segments: str = Field(min_length=1)
    pairs: str = Field(min_length=1)
    cosine: float = Field(gt=0, le=1)
    search: SearchConfig


def pairs_fingerprint(cosine: float) -> str:
    """16 hex digits: what the pairs of two segments depend on beside the segments."""
    return hashlib.sha256(json.dumps([cosine, SEARCH_VERSION]).encode()).hexdigest()[:16]


def distances_fingerprint(detail: DetailConfig) -> str:
    """16 hex digits: what the distance of two thumbnails depends on beside them."""
    values = [detail.model_dump(mode="json"), DETAIL_VERSION]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
