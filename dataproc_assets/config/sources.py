"""A crawled source: where its objects lie, how they are named, what is trusted of it."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.rules import Regex, RuleList

Adapter = Literal["pixiv", "danbooru", "gelbooru", "yandere", "twitter", "artstation"]

NATIVE_IDS: dict[str, str] = {
    "pixiv": "{id}_p{page}",
    "danbooru": "{id}",
    "gelbooru": "{id}",
    "yandere": "{id}",
    "twitter": "{id}_{page}",
    "artstation": "{id}_{asset}",
}
"""What follows `{source}/` in an `image_key`, by adapter, for file names and records alike."""

Share = Annotated[float, Field(ge=0, le=1)]
Glob = Annotated[str, Field(min_length=1, pattern=r"^[^/]")]


class CrawlConfig(StrictModel):
    """Objects of one source below `prefix`; globs are relative to it, their `*` crosses folders.

    `shards` are tar files, whose members that end in `.json` are records. What matches `records`
    is no image; what matches `images`, or is any other member, is one if its name matches the
    source's `key` and ends in one of `extensions`.
    """

    prefix: str = Field(pattern=r"^[^/]+(/[^/]+)*$")
    images: list[Glob] = Field(default_factory=list)
    extensions: list[Annotated[str, Field(pattern=r"^[a-z0-9]+$")]] = Field(min_length=1)
    shards: list[Glob] = Field(default_factory=list)
    records: list[Glob] = Field(default_factory=list)

    @model_validator(mode="after")
    def _holds_images(self) -> Self:
        if not self.images and not self.shards:
            raise ValueError("names neither images nor shards, so no image could be found")
        return self


class TrustConfig(StrictModel):
    """How far this source is believed, by field; 0 is never, 1 is always.

    `image` ranks whose pixels stand for a cluster; the others weigh the merged fields.
    """

    image: Share
    tags: Share
    artist: Share
    title: Share
    caption: Share
    created: Share
    tier: Share


class SourceConfig(StrictModel):
    """One file of `conf/sources/`.

    `key` is matched on an image's file name without folder; its named groups are `id` and, as the
    adapter's key needs it, `page` or `asset`. `tags_categorised` says whether the site tells a
    character from a general tag; where it does not, all tags arrive as general. A record with one
    of `ai_tags` (compared without case) is AI-made whatever its own flag says.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9]*$")
    adapter: Adapter
    crawl: CrawlConfig
    key: Regex
    settle_seconds: int = Field(ge=0)
    removed_share_max: Share
    rejects_share_max: Share
    failed_share_max: Share
    tags_categorised: bool
    ai_tags: list[str] = Field(default_factory=list)
    prefilter: RuleList = Field(default_factory=list)
    trust: TrustConfig

    @model_validator(mode="after")
    def _key_has_its_groups(self) -> Self:
        needed = set(re.findall(r"{(\w+)}", NATIVE_IDS[self.adapter]))
        found = set(re.findall(r"\(\?P?<(\w+)>", self.key))
        if found != needed:
            raise ValueError(
                f"key has the named groups {sorted(found)}, but keys of {self.adapter} are made of "
                f"{sorted(needed)}; write them as (?P<name>...)"
            )
        return self
