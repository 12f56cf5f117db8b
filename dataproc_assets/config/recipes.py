"""The model of a prompt recipe: which words, in which order, within which token budget."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Rating = Literal["general", "sensitive", "questionable", "explicit"]
GroupKind = Literal["tags", "rating", "quality", "year", "period", "caption"]


class GroupConfig(StrictModel):
    """One group of a prompt, at its place in the order.

    A `tags` group takes the tags it lists and those of its categories; a tag goes to the group
    that lists it, else to the first of its category. The token budget is spent on groups in
    rising `priority`. Tags of a `protected` group are never dropped at random; what is no tag
    never is.
    """

    name: Name
    kind: GroupKind = "tags"
    categories: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    priority: Annotated[int, Field(ge=0, le=99)]
    protected: bool = False

    @model_validator(mode="after")
    def _selects(self) -> Self:
        selects = bool(self.categories or self.tags)
        if selects != (self.kind == "tags"):
            raise ValueError(f"group {self.name}: kind tags, and only it, needs categories or tags")
        return self


class DropoutConfig(StrictModel):
    """For `share` of the prompts: keep max(keep_share, keep_min) tags, or at most keep_max."""

    share: Share
    keep_share: Share | None = None
    keep_min: Annotated[int, Field(ge=0)] | None = None
    keep_max: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        relative = self.keep_share is not None and self.keep_min is not None
        absolute = self.keep_share is None and self.keep_min is None
        if not (relative if self.keep_max is None else absolute):
            raise ValueError("dropout needs keep_share and keep_min together, or keep_max alone")
        return self


class RecipeConfig(StrictModel):
    """A prompt recipe. `token_budget` counts CLIP tokens without start and end; null is no limit.

    `strip` holds patterns (`*` is any run of characters) of tags that never reach a prompt,
    `banned` whole tags. Tags of at most `keep_underscore_length` characters keep underscores.
    The `protected` tags, and those of protected groups, are never dropped at random.
    """

    name: Name
    title: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    variants: Annotated[int, Field(ge=1, le=64)] = 1
    separator: Annotated[str, Field(pattern=r"^\S*\s+$")]
    group_separator: Annotated[str, Field(pattern=r"^\s*\S+\s+$")]
    token_budget: Annotated[int, Field(ge=1)] | None
    keep_underscore_length: Annotated[int, Field(ge=0)]
    groups: Annotated[list[GroupConfig], Field(min_length=1, max_length=32)]
    rating_words: dict[Rating, str] = Field(default_factory=dict)
    tier_words: dict[str, str] = Field(default_factory=dict)
    year_word: Annotated[str, Field(pattern=r"\{year\}")] = "year {year}"
    strip: list[str] = Field(default_factory=list)
    banned: list[str] = Field(default_factory=list)
    protected: list[str] = Field(default_factory=list)
    dropout: list[DropoutConfig] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names):
            raise ValueError("two groups have the same name")
        priorities = [group.priority for group in self.groups]
        if len(set(priorities)) != len(priorities):
            raise ValueError("two groups have the same priority; the budget needs one order")
        if sum(rule.share for rule in self.dropout) > 1 + 1e-9:
            raise ValueError("the shares of dropout add up to more than 1")
        return self
