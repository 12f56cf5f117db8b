"""The model of `gallery.yaml`: how many pictures each part of the gallery shows, and how large."""

from typing import Annotated, Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel

Count = Annotated[int, Field(ge=1)]
Rating = Literal["general", "sensitive", "questionable", "explicit"]


class SearchConfig(StrictModel):
    """What the server of the gallery answers: how much of it, and how long it may take."""

    results: Count  # pictures on a page
    pages: Count  # of one answer; what is ranked after the last is only counted
    query_chars: Count  # a longer question is refused
    tags: Count  # the most frequent tags that the empty page offers
    answers: Count  # keys that one explain page tells of, where a name stands for several
    threads: Count  # answers that are worked on at one time
    waiting: Count  # and that wait for that; more are told to come again
    seconds: Annotated[float, Field(gt=0)]  # after which a browser is told to come again
    pictures: Count  # thumbnails drawn on demand that are kept in memory
    recheck_seconds: Annotated[float, Field(ge=0)]  # how long what may be shown is not asked again


class GalleryConfig(StrictModel):
    """Limits that keep a page of 100,000 images as small as one of 100.

    What is over a limit is drawn by a hash of (seed, key); its number always stands on the page.
    Pictures with a rating of `veiled_ratings` (null: unknown) are blurred until they are pointed
    at or focused. `served_at` is where `dataproc gallery` is reached: assets' metadata links there.
    """

    seed: Annotated[int, Field(ge=0)]
    thumb_side: Annotated[int, Field(ge=32, le=1024)]  # pixels of the longer side
    thumb_quality: Annotated[int, Field(ge=1, le=100)]  # of WebP
    threads: Count  # reading and scaling at one time; changes no byte
    samples: Count  # pictures for a drop reason
    tier_samples: Count  # pictures for a tier of a source
    reasons: Count  # drop reasons with a section of their own
    clusters: Count
    members: Count  # duplicates shown beside a representative
    pairs: Count  # pairs in a list of pairs
    images: Count  # kept images shown, over all pages
    page_size: Count  # kept images on a page
    previews: Count  # latents beside their originals, of all releases
    files: Count  # files listed of a release
    ids: Count  # ids listed of a quarantine rule
    tags: Count  # tags shown of an image
    text_chars: Count  # characters shown of a title, a caption or a prompt
    veiled_ratings: list[Rating | None]
    served_at: Annotated[str, Field(pattern=r"^https?://[^/]+(/.*[^/])?$")]
    search: SearchConfig
