"""The model of `safety.yaml`, which can add to what is never released and cannot take away."""

from typing import Annotated

from pydantic import Field

from dataproc_assets.config.base import StrictModel

Word = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]
ArtistId = Annotated[str, Field(pattern=r"^[a-z]+/\S+$")]


class ScoreConfig(StrictModel):
    """A column of a classifier and the score from which on it counts as positive."""

    column: Annotated[str, Field(min_length=1)]
    at_least: Annotated[float, Field(ge=0, le=1)]


class AiConfig(StrictModel):
    """What says that an image was made by a model, beside the source's own field."""

    tags: list[Word]
    scores: list[ScoreConfig] = Field(default_factory=list)


class OptOutConfig(StrictModel):
    """Artists who asked to be left out: names and aliases, and `{source}/{user id}`."""

    artists: list[Word] = Field(default_factory=list)
    artist_ids: list[ArtistId] = Field(default_factory=list)
    tags: list[Word] = Field(default_factory=list)


class ContentConfig(StrictModel):
    """Tags that drop an image, and tags that are only reported."""

    drop: list[Word] = Field(default_factory=list)
    report: list[Word] = Field(default_factory=list)


class ShareMax(StrictModel):
    """The largest share of the kept images that one value of a field may have without a warning.

    `poor_content` is the share of the images that have a tag which is reported.
    """

    rating: Share
    source: Share
    artist: Share
    character: Share
    poor_content: Share


class BalanceConfig(StrictModel):
    """When a recipe's kept images are one-sided; of fewer than `images_min` nothing is said."""

    images_min: Annotated[int, Field(ge=1)]
    shown: Annotated[int, Field(ge=1)]
    share_max: ShareMax


class SafetyConfig(StrictModel):
    """`never_tags` and `child_tags` are added to the constants of `safety/never.py`."""

    never_tags: list[Word] = Field(default_factory=list)
    child_tags: list[Word] = Field(default_factory=list)
    ai: AiConfig
    opt_out: OptOutConfig
    banned_artist_tags: list[Word]
    active_statuses: Annotated[list[Word], Field(min_length=1)]
    banned_statuses: list[Word]
    content: ContentConfig
    banned_words: list[Word]
    balance: BalanceConfig
