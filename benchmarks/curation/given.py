"""What every side is given of the configuration, in the form that it takes."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import polars as pl

from dataproc_assets.config.project import Project
from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.buckets import bucket_sizes

RATINGS = ("general", "sensitive", "questionable", "explicit")


@dataclass(frozen=True)
class Given:
    """Rules, weights and words; `counts` are the tokens of every text, for those without a
    tokenizer.
    """

    project: Project
    recipe: RecipeConfig
    counts: pl.DataFrame

    @property
    def rules(self) -> list[tuple[str, str]]:
        """The prefilter in SQL."""
        sign = {"at_least": ">=", "at_most": "<="}
        plain = {"pixels": "pixels_width::bigint * pixels_height",
                 "aspect": "pixels_width / pixels_height"}  # fmt: skip
        found = []
        for rule in self.project.curation.prefilter:
            column = plain.get(rule.column, rule.column)
            missing = "true" if rule.missing == "keep" else "false"
            if rule.keep in sign:
                test = f"{column} {sign[rule.keep]} {rule.value}"  # type: ignore[union-attr]
            else:
                values = ", ".join(repr(v) for v in rule.values)  # type: ignore[union-attr]
                test = f"{column} in ({values})"
            found.append((rule.name, f"coalesce({test}, {missing})"))
        return found

    @property
    def ai_tags(self) -> dict[str, list[str]]:
        """The tags of each source that say that a model made it."""
        return {name: source.ai_tags for name, source in self.project.sources.items()}

    @property
    def tagger_weight(self) -> float:
        """How far the tagger is believed."""
        return self.project.curation.merge.machine_trust["tagger"]

    @property
    def confidence_min(self) -> float:
        """The confidence below which a tag is left out."""
        return self.project.curation.merge.tag_confidence_min

    @property
    def strip(self) -> str:
        """A regular expression of the tags that never reach a prompt."""
        patterns = [item.replace("*", ".*") for item in self.recipe.strip]
        return "|".join([*patterns, *self.recipe.banned])

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Small tables to join with."""
        project, merge = self.project, self.project.curation.merge
        trust = [
            {"source": name, "trust_tier_percentile": source.trust.tier}
            | {f"trust_{field}": value for field, value in source.trust.model_dump().items()}
            for name, source in project.sources.items()
        ]
        weights = [
            {"source": name, "weight": source.trust.tags * merge.tag_p.get(name, 0.8)}
            for name, source in project.sources.items()
        ]
        return {
            "trust": pl.DataFrame(trust),
            "weights": pl.DataFrame(weights),
            "aliases": self._pairs(self.aliases, "alias", "name"),
            "implications": pl.DataFrame(
                [(tag, name) for tag, names in self.implications.items() for name in names],
                schema={"tag": pl.String, "name": pl.String},
                orient="row",
            ),
            "ratings": pl.DataFrame({"rating": RATINGS, "rank": range(len(RATINGS))}),
            "rating_words": self._pairs(dict(self.recipe.rating_words), "rating", "words"),
            "periods": pl.DataFrame([p.model_dump() for p in project.curation.augment.periods]),
            "buckets": self._buckets(),
            "counts": self.counts,
        }

    @staticmethod
    def _pairs(pairs: dict, left: str, right: str) -> pl.DataFrame:
        schema = {left: pl.String, right: pl.String}
        return pl.DataFrame(list(pairs.items()), schema=schema, orient="row")

    def _buckets(self) -> pl.DataFrame:
        """The buckets by the aspect from which on each is the nearest."""
        sizes = {
            w / h: (w, h) for w, h in sorted(bucket_sizes(self.project.curation.augment.buckets))
        }
        ratios = sorted(sizes)
        above = [0.0, *((low + high) / 2 for low, high in pairwise(ratios))]
        return pl.DataFrame(
            [(a, *sizes[ratio]) for a, ratio in zip(above, ratios, strict=True)],
            schema={"above": pl.Float64, "bucket_width": pl.Int32, "bucket_height": pl.Int32},
            orient="row",
        )

    @property
    def aliases(self) -> dict[str, str]:
        """The names of other spellings."""
        return self.project.curation.merge.alias_of

    @property
    def implications(self) -> dict[str, list[str]]:
        """What each tag implies."""
        return self.project.curation.merge.implied_by
