"""The model of `curation.yaml`: what is kept, how it is binned and how sources are merged."""

from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    model_validator,
)

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.releases import Buckets
from dataproc_assets.config.rules import RuleList
from dataproc_assets.config.tag_tables import (
    closed,
    faults,
    joined,
    read_tables,
    refuse,
    resolved,
)

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]
Name = Annotated[str, Field(min_length=1)]
Implied = Annotated[
    list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]
DrawnField = Literal["artist", "title", "caption", "created", "tier"]


class PeriodConfig(StrictModel):
    """A named run of years, both ends included."""

    name: Name
    first_year: Annotated[int, Field(ge=1900, le=2200)]
    last_year: Annotated[int, Field(ge=1900, le=2200)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first_year > self.last_year:
            raise ValueError(f"period {self.name}: first_year is after last_year")
        return self


class TierCut(StrictModel):
    """A quality tier: the name given above this percentile."""

    name: Name
    above: Annotated[float, Field(ge=0, lt=100)]


class TiersConfig(StrictModel):
    """Quality tiers by percentile inside (source, rating, moving window of time).

    A post is ranked among those of its source and rating that were created at most half of
    `window_days` before or after it. `scores` names the column each source is ranked by, its key
    `default` that of sources it does not name. With `half_life_days` a score is divided by the
    share of it that is expected at its age, 1 - 2^(-age / half life), before it is ranked.
    """

    cuts: Annotated[list[TierCut], Field(min_length=1)]
    scores: dict[str, Literal["favourites", "score", "views"]]
    window_days: Annotated[int, Field(ge=1)]
    min_age_days: Annotated[int, Field(ge=0)]
    min_group: Annotated[int, Field(ge=1)]
    half_life_days: Annotated[float, Field(gt=0)] | None = None

    def score(self, source: str) -> Literal["favourites", "score", "views"] | None:
        """The column a source is ranked by; None where neither it nor a default is named."""
        return self.scores.get(source) or self.scores.get("default")

    @model_validator(mode="after")
    def _descending(self) -> Self:
        above = [cut.above for cut in self.cuts]
        if above != sorted(set(above), reverse=True):
            raise ValueError("cuts must fall from the highest `above` to the lowest, none twice")
        if above[-1] != 0:
            raise ValueError("the last cut must be `above: 0`, so that every ranked row has a tier")
        return self


class AugmentConfig(StrictModel):
    """What is computed for each image from its own row and its group."""

    buckets: Buckets
    periods: list[PeriodConfig]
    tiers: TiersConfig

    @model_validator(mode="after")
    def _apart(self) -> Self:
        periods = sorted(self.periods, key=lambda period: period.first_year)
        for earlier, later in pairwise(periods):
            if later.first_year <= earlier.last_year:
                raise ValueError(f"periods {earlier.name} and {later.name} overlap")
        return self


class MergeConfig(StrictModel):
    """How the sources of one image become one row.

    `fields` are drawn by trust. `tag_p` is the probability that a tag of a source is right (the
    tagger brings its own); `machine_trust` is the trust in what models say. `aliases` maps other
    names of a tag to the one used, `implications` a tag to what else is true where it is. Either
    may also name a CSV file below conf/, whose lines join it when the YAML is read.
    """

    fields: list[DrawnField]
    tag_p: dict[str, Share]
    tag_confidence_min: Share
    machine_trust: dict[Literal["tagger", "captioner"], Share]
    aliases: dict[str, str] = Field(default_factory=dict)
    aliases_csv: str | None = None
    implications: dict[str, Implied] = Field(default_factory=dict)
    implications_csv: str | None = None

    @cached_property
    def alias_of(self) -> dict[str, str]:
        """The tag that each other name stands for, at the end of a chain of them."""
        return resolved(self.aliases)

    @cached_property
    def implied_by(self) -> dict[str, list[str]]:
        """All that follows from each tag."""
        return closed(self.implications)

    @model_validator(mode="wrap")
    @classmethod
    def _with_tables(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Join the CSV files, which are read where the context is the folder conf/."""
        rows = read_tables(value, info.context)
        config = handler(joined(value, rows))
        for table, name, fault in faults(config.aliases, config.implications):
            refuse(table, name, fault, rows)
        return config

    @model_validator(mode="after")
    def _has_default(self) -> Self:
        if "default" not in self.tag_p:
            raise ValueError("tag_p needs the key `default`, for sources it does not name")
        return self


class CurationConfig(StrictModel):
    """All of `curation.yaml` but near-duplicates. Ages are counted to `as_of`, never to today.

    A post that is newer than `as_of` has no quality tier, for that reason; one whose year is in no
    period has no period. The last period reaches the year of `as_of`, or the newest posts would
    have none without a word.
    """

    as_of: date
    seed: Seed
    prefilter: RuleList
    augment: AugmentConfig
    merge: MergeConfig

    @model_validator(mode="after")
    def _periods_reach_as_of(self) -> Self:
        if self.augment.periods:
            last = max(self.augment.periods, key=lambda period: period.last_year)
            if last.last_year < self.as_of.year:
                raise ValueError(
                    f"as_of {self.as_of} is after the last of augment.periods: {last.name} ends "
                    f"with {last.last_year}; raise its last_year or add a period"
                )
        return self
