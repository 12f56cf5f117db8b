"""A crawled source: where its objects lie, how they are named, what is trusted of it."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from dataproc_assets.config.adapters import COLUMNS, checked_adapter
from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.columns import ColumnsConfig
from dataproc_assets.config.mergers import MergerConfig
from dataproc_assets.config.rules import Regex, RuleList

NATIVE_ID = r"[A-Za-z0-9_-]+"
"""What may follow `{source}/` in an `image_key`: it becomes a part of file names."""

Template = Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]|\{(id|page|asset)\})+$")]

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

    `adapter` reads the records: one of the package's, or a module of your own by its full name, as
    in `my_package.my_site`; `columns` stands for one that needs no code and reads what the section
    `columns` says. `native_id` is what follows `{source}/` in an `image_key`, for file names and
    records alike. `key` is matched on an image's file name without folder; its named groups are
    those of `native_id`: `id` (of the post), `page` and `asset`. `tags_categorised` says whether
    the site tells a character from a general tag; where it does not, all tags arrive as general. A
    record with one of `ai_tags` (compared without case and width) is AI-made whatever its own flag
    says. `merger` says which other tags and texts are no content.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9]*$")
    adapter: Annotated[str, Field(min_length=1), AfterValidator(checked_adapter)]
    native_id: Template
    columns: ColumnsConfig | None = None
    crawl: CrawlConfig
    key: Regex
    settle_seconds: int = Field(ge=0)
    removed_share_max: Share
    rejects_share_max: Share
    failed_share_max: Share
    tags_categorised: bool
    ai_tags: list[str] = Field(default_factory=list)
    merger: MergerConfig = Field(default_factory=MergerConfig)
    prefilter: RuleList = Field(default_factory=list)
    trust: TrustConfig

    @property
    def key_parts(self) -> list[str]:
        """What a native id is made of, in its order: `id`, `page`, `asset`."""
        return re.findall(r"{(\w+)}", self.native_id)

    @model_validator(mode="after")
    def _key_has_its_groups(self) -> Self:
        needed = self.key_parts
        if len(needed) != len(set(needed)) or "id" not in needed:
            raise ValueError("native_id needs {id}, and {page} or {asset} once at most")
        found = set(re.findall(r"\(\?P?<(\w+)>", self.key))
        if found != set(needed):
            raise ValueError(
                f"key has the named groups {sorted(found)}, but native_id is made of "
                f"{sorted(needed)}; write them as (?P<name>...)"
            )
        return self

    @model_validator(mode="after")
    def _columns_are_read(self) -> Self:
        if (self.adapter == COLUMNS) != (self.columns is not None):
            raise ValueError("`adapter: columns` and the section `columns` belong together")
        if self.columns is not None:
            for part in set(self.key_parts) - {"id"}:
                if getattr(self.columns, part) is None:
                    raise ValueError(f"native_id has {{{part}}}, so columns must say where it is")
        return self
