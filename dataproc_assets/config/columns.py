"""Flat records without code: which field of a raw record is which common column."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dataproc_assets.config.base import StrictModel

Path = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""A field of a raw record; `user.name` is the field `name` of the object `user`."""


def _pattern(regex: str) -> str:
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if groups != 1:
        raise ValueError("needs one group, which is what is taken of the text")
    return regex


def _texts(values: Any) -> Any:
    """YAML's `1:` and `true:` mean what the site writes, which is compared as text."""
    if not isinstance(values, dict):
        return values
    return {
        str(key).lower() if isinstance(key, str | int) else key: value
        for key, value in values.items()
    }


def _short(value: Any) -> Any:
    """A bare text, or a list of texts, means `from`."""
    return {"from": value} if isinstance(value, str | list) else value


class ColumnConfig(StrictModel):
    """Where a column comes from, and how its text is read.

    Of several paths a list column takes all values, any other column the first known one. Then, in
    this order: `take` keeps the group of the first match, null where there is none; `values` maps
    what the site writes (compared as text, without case), and what it does not name is
    `otherwise`, or else refused; `html` removes elements and resolves entities; `unit` says what a
    number counts since 1970; `separator` cuts a text into a list (tags by default at blanks).
    """

    paths: Annotated[list[Path], Field(min_length=1)] = Field(alias="from")
    take: Annotated[str, AfterValidator(_pattern)] | None = None
    values: Annotated[dict[str, str], BeforeValidator(_texts), Field(min_length=1)] | None = None
    otherwise: str | None = None
    html: bool = False
    unit: Literal["seconds", "milliseconds"] = "seconds"
    separator: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_path(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(raw.get("from"), str):
            return raw | {"from": [raw["from"]]}
        return raw

    @model_validator(mode="after")
    def _otherwise_needs_values(self) -> Self:
        if self.otherwise is not None and self.values is None:
            raise ValueError("`otherwise` speaks of what `values` does not name: give `values` too")
        return self


Column = Annotated[ColumnConfig, BeforeValidator(_short)]
Optional = Annotated[ColumnConfig | None, BeforeValidator(_short)]

_MEANINGS = {
    "rating": {"general", "sensitive", "questionable", "explicit"},
    "kind": {"image", "cover", "retweet", "animation"},
    "status": {"active", "deleted", "banned", "pending", "flagged", "hidden"},
    "ai": {"yes", "no", "unknown"},
}


class ColumnsConfig(StrictModel):
    """The fields of the `columns` adapter, one a common column; what is left out is unknown.

    `post_url` is a template of the site's address of a post, `{id}` and `{page}` in it; `updated`
    decides between two records of one image. A left out `kind` is image, `status` active, `ai`
    unknown; `linked_pixiv_id` and its page are read from `linked_source` too.
    """

    post_id: Column
    page: Optional = None
    asset: Optional = None
    updated: Optional = None
    kind: Optional = None
    url: Optional = None
    post_url: str | None = None
    artist_ids: Optional = None
    artist_names: Optional = None
    tags_general: Optional = None
    tags_character: Optional = None
    tags_copyright: Optional = None
    tags_artist: Optional = None
    tags_meta: Optional = None
    rating: Optional = None
    score: Optional = None
    favourites: Optional = None
    views: Optional = None
    followers: Optional = None
    created: Optional = None
    width: Optional = None
    height: Optional = None
    md5: Optional = None
    parent_id: Optional = None
    linked_source: Optional = None
    linked_pixiv_id: Optional = None
    ai: Optional = None
    status: Optional = None
    title: Optional = None
    caption: Optional = None
    language: Optional = None

    @model_validator(mode="after")
    def _known_meanings(self) -> Self:
        for name, known in _MEANINGS.items():
            column: ColumnConfig | None = getattr(self, name)
            if column is None:
                continue
            means = {*(column.values or {}).values(), column.otherwise} - {None}
            if wrong := sorted(str(one) for one in means - known):
                raise ValueError(f"{name}: no {wrong[0]!r}; there are {', '.join(sorted(known))}")
        if self.post_url is not None:
            fields = set(re.findall(r"{(.*?)}", self.post_url))
            if "id" not in fields or fields - {"id", "page"}:
                raise ValueError("post_url: an address with {id} in it, and {page} where it helps")
        return self
