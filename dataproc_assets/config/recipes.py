"""The model of a prompt recipe: which words, in which order, within which token budget."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

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
    never is. `section` counts from 0 and never falls from a group to the next.
    """

    name: Name
    kind: GroupKind = "tags"
    categories: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    priority: Annotated[int, Field(ge=0, le=99)]
    protected: bool = False
    section: Annotated[int, Field(ge=0, le=7)] = 0

    @model_validator(mode="after")
    def _selects(self) -> Self:
        selects = bool(self.categories or self.tags)
        if selects != (self.kind == "tags"):
            raise ValueError(f"group {self.name}: kind tags, and only it, needs categories or tags")
        return self


class QualityCut(StrictModel):
    """The words of all images above this percentile."""

    above: Annotated[float, Field(ge=0, lt=100)]
    words: Annotated[str, Field(min_length=1)]


def _falling(cuts: list[QualityCut]) -> list[QualityCut]:
    above = [cut.above for cut in cuts]
    if above != sorted(set(above), reverse=True):
        raise ValueError("cuts must fall from the highest `above` to the lowest, none twice")
    return cuts


Cuts = Annotated[list[QualityCut], Field(min_length=1), AfterValidator(_falling)]


class NewerCuts(StrictModel):
    """Cuts of their own for images made less than `days` before `as_of`."""

    days: Annotated[int, Field(ge=1)]
    cuts: Cuts


class QualityConfig(StrictModel):
    """A model's own quality words, by the percentile among the source's posts."""

    cuts: Cuts
    newer: NewerCuts | None = None


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

    `section_separator` stands between any two sections, also empty ones: trainers cut a prompt
    there. Quality is said by `tier_words`, of the tiers of curation.yaml, or by `quality`.
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
    section_separator: Annotated[str, Field(pattern=r"^\s+\S+\s+$")] | None = None
    token_budget: Annotated[int, Field(ge=1)] | None
    keep_underscore_length: Annotated[int, Field(ge=0)]
    groups: Annotated[list[GroupConfig], Field(min_length=1, max_length=32)]
    rating_words: dict[Rating, str] = Field(default_factory=dict)
    tier_words: dict[str, str] = Field(default_factory=dict)
    quality: QualityConfig | None = None
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
        sections = [group.section for group in self.groups]
        if sections != sorted(sections):
            raise ValueError("sections must not fall from a group to the next")
        if (self.section_separator is not None) != (max(sections) > 0):
            raise ValueError("section_separator and groups of a second section belong together")
        kinds = {group.kind for group in self.groups}
        if bool(self.rating_words) != ("rating" in kinds):
            raise ValueError("rating_words and a group of kind rating belong together")
        if bool(self.tier_words) + (self.quality is not None) != ("quality" in kinds):
            raise ValueError("a group of kind quality, and only it, needs tier_words or quality")
        if sum(rule.share for rule in self.dropout) > 1 + 1e-9:
            raise ValueError("the shares of dropout add up to more than 1")
        return self
