"""The same work in pandas on Arrow's types, as a notebook would do it.

What it does not do is what DuckDB does not do either, and it keeps no losing values. Whole tables
are in memory, but what explodes their tags takes so many images at a time: it needs 7 GiB for a
hundred thousand.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.curation.given import RATINGS, Given
from benchmarks.curation.steps import SOURCES, Steps
from dataproc_assets.storage import layout

AS_OF = pd.Timestamp("2026-11-01", tz="UTC")
KINDS = ("general", "character", "copyright", "artist", "meta")
IMAGES_AT_ONCE = 100_000
DRAWN = ("artist", "title", "caption", "created", "tier_percentile")


class InPandas(Steps):
    """Each step reads the Parquet files of the one before, and writes its own."""

    def __init__(self, inputs: Path, outputs: Path, given: Given) -> None:
        super().__init__(inputs, outputs, given)
        self.given_tables = {name: table.to_pandas() for name, table in given.tables.items()}

    def curate(self) -> None:
        """Merged, prefiltered and augmented of both sources."""
        for source in SOURCES:
            records = self._input("records", source).drop(columns="source")
            merged = (
                self._input("todo", source)
                .merge(records, on="image_key")
                .merge(self._input("metrics_merged", source), on="image_key")
            )
            merged["ai"] = merged["ai"].mask(self._marked(merged, source), "yes")
            self._write(f"merged_{source}", merged)
            judged = self._judged(self._output(f"merged_{source}"))
            self._write(f"prefiltered_{source}", judged)
            augmented = self._augmented(self._output(f"prefiltered_{source}"))
            self._write(f"augmented_{source}", augmented)

    def images(self) -> None:
        """One row an image."""
        rows = pd.concat(
            [self._output(f"augmented_{source}").assign(source=source) for source in SOURCES]
        )
        members = self._input("members")
        joined = members.drop(columns=["keep", "drop_reason"]).merge(
            rows.drop(columns="source"), on="image_key"
        )
        ids = joined.loc[joined["role"] == "representative", "image_id"].sort_values()
        number = pd.Series(np.arange(len(ids)) // IMAGES_AT_ONCE, index=ids.to_numpy())
        part = joined["image_id"].map(number)
        facts = self._facts(joined)
        made = [self._of_images(some, facts) for _, some in joined.groupby(part)]
        self._write("images", pd.concat(made))

    def _of_images(self, joined: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
        best = joined[joined["best_in_source"] & (joined["role"] != "dropped")]
        standing = joined[joined["role"] == "representative"]
        of_standing = ["image_id", "image_key", "component", "pixels_sha256", "pixels_width"]
        of_standing += ["pixels_height", "pixels", "aspect", "bucket_width", "bucket_height"]
        images = standing[of_standing].rename(columns={"image_key": "representative"})
        named = joined[joined["image_id"].notna()].groupby("image_id")
        kept = joined[joined["role"] != "dropped"].groupby("image_id")
        parts = [
            named["image_key"].agg(sorted).rename("members"),
            kept["source"].agg(lambda sources: sorted(set(sources))).rename("sources"),
            *(self._drawn(best, field) for field in DRAWN),
            self._tags(best, standing),
        ]
        for part in parts:
            images = images.merge(part, left_on="image_id", right_index=True, how="left")
        images["year"] = pd.to_datetime(images["created"]).dt.year
        return images.merge(facts, left_on="component", right_index=True)

    def _facts(self, joined: pd.DataFrame) -> pd.DataFrame:
        """The most restrictive rating of each component, and whether a model made it."""
        rank = joined["rating"].map({name: n for n, name in enumerate(RATINGS)})
        worst = rank.groupby(joined["component"]).max().map(dict(enumerate(RATINGS)))
        ai = (joined["ai"] == "yes").groupby(joined["component"]).any()
        return pd.DataFrame({"rating": worst, "ai": ai})

    def prompts(self) -> None:
        """Prompts of the recipe."""
        images = self._output("images").sort_values("image_id")
        parts = [images[n : n + IMAGES_AT_ONCE] for n in range(0, len(images), IMAGES_AT_ONCE)]
        self._write("prompts", pd.concat([self._prompts(part) for part in parts]))

    def _prompts(self, images: pd.DataFrame) -> pd.DataFrame:
        recipe = self.given.recipe
        groups = list(enumerate(recipe.groups))
        rank_of = {g.kind: rank for rank, g in groups}
        by_category = {name: rank for rank, g in groups for name in g.categories}
        listed = {tag: rank for rank, g in groups for tag in g.tags}
        tags = images[["image_id", "tags"]].explode("tags").dropna().reset_index(drop=True)
        spelt = pd.json_normalize(tags.pop("tags").tolist())
        tags = pd.concat([tags, spelt[["tag", "category", "confidence"]]], axis=1)
        words = pd.Series(tags["tag"].unique())
        words = words[~words.str.fullmatch(self.given.strip)]
        short = words.str.len() <= recipe.keep_underscore_length
        texts = words.where(short, words.str.replace("[_,]", " ", regex=True))
        tags["text"] = tags["tag"].map(dict(zip(words, texts, strict=True)))
        tags["rank"] = tags["tag"].map(listed).fillna(tags["category"].map(by_category))
        rating = self.given_tables["rating_words"].set_index("rating")["words"]
        fields = [
            pd.DataFrame({"image_id": images["image_id"], "text": text, "rank": rank_of[kind]})
            for kind, text in {
                "rating": images["rating"].map(rating),
                "year": "year " + images["year"].astype("Int64").astype(str),
            }.items()
        ]
        units = pd.concat([tags[["image_id", "text", "rank", "confidence"]], *fields]).dropna(
            subset=["text", "rank"]
        )
        tokens = self.given_tables["counts"].set_index("text")["tokens"]
        units["tokens"] = (units["text"] + ",").map(tokens)
        units["priority"] = units["rank"].map({rank: g.priority for rank, g in groups})
        units = units.sort_values(["image_id", "priority"], kind="stable")
        used = units.groupby("image_id")["tokens"].cumsum()
        fits = units[used <= recipe.token_budget].sort_values(["image_id", "rank"], kind="stable")
        made = pd.concat(
            [
                fits.groupby("image_id")["text"].agg(", ".join).rename("prompt"),
                fits.groupby("image_id")[["text", "rank", "confidence"]].agg(list),
                fits.groupby("image_id")["tokens"].sum(),
                units[used > recipe.token_budget]
                .groupby("image_id")["text"]
                .agg(list)
                .rename("cut"),
            ],
            axis=1,
        )
        table = images[["image_id", "caption"]].merge(made, on="image_id", how="left")
        return table.sort_values("image_id")

    def _marked(self, rows: pd.DataFrame, source: str) -> pd.Series:
        marked = {tag.lower() for tag in self.given.ai_tags[source]}
        every = pd.concat([rows[f"tags_{kind}"].explode() for kind in KINDS]).dropna()
        hit = every[every.str.lower().isin(marked)].index
        return rows.index.isin(hit)

    def _judged(self, rows: pd.DataFrame) -> pd.DataFrame:
        view = rows.assign(
            pixels=rows["pixels_width"].astype("int64") * rows["pixels_height"],
            aspect=rows["pixels_width"] / rows["pixels_height"],
        )
        failed = np.zeros((len(rows), len(self.given.project.curation.prefilter)), bool)
        names = []
        for number, rule in enumerate(self.given.project.curation.prefilter):
            column = view[rule.column]
            if rule.keep == "at_least":
                passes = column >= rule.value
            elif rule.keep == "at_most":
                passes = column <= rule.value
            else:
                passes = column.isin(rule.values)  # type: ignore[union-attr]
            passes = passes.astype("boolean").fillna(rule.missing == "keep").to_numpy(bool)
            failed[:, number] = ~passes
            names.append(rule.name)
        reasons = [[names[i] for i in np.flatnonzero(row)] if row.any() else [] for row in failed]
        return rows.assign(
            drop_reasons=pd.Series(reasons, index=rows.index),
            drop_reason=[found[0] if found else None for found in reasons],
            keep=~failed.any(axis=1),
        )

    def _augmented(self, rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.assign(
            pixels=rows["pixels_width"].astype("int64") * rows["pixels_height"],
            aspect=(rows["pixels_width"] / rows["pixels_height"]).astype("float64"),
            year=pd.to_datetime(rows["created"]).dt.year,
        )
        buckets = self.given_tables["buckets"]
        place = np.searchsorted(buckets["above"], rows["aspect"].to_numpy(), side="right") - 1
        for side in ("bucket_width", "bucket_height"):
            rows[side] = buckets[side].to_numpy()[place]
        period = pd.Series(index=rows.index, dtype=object)
        for one in self.given.project.curation.augment.periods:
            period[rows["year"].between(one.first_year, one.last_year)] = one.name
        age = (AS_OF - pd.to_datetime(rows["created"])).dt.days // 1096
        groups = rows.groupby([rows["rating"], age])["favourites"]
        middle = groups.rank("average") - 0.5
        return rows.assign(
            period=period, tier_percentile=(middle / groups.transform("size") * 100).round(6)
        )

    def _drawn(self, best: pd.DataFrame, field: str) -> pd.DataFrame:
        value = best["artist_names"].list[0] if field == "artist" else best[field]
        trust = self.given_tables["trust"].set_index("source")
        claims = pd.DataFrame(
            {"image_id": best["image_id"], "source": best["source"], field: value}
        ).dropna()
        claims["weight"] = claims["source"].map(trust[f"trust_{field}"])
        keys = claims["image_id"].str.cat(claims["source"], sep=field)
        draw = pd.util.hash_array(keys.to_numpy(object)) / 2.0**64
        claims["t"] = -np.log(draw) / claims["weight"]
        first = claims.sort_values(["image_id", "t"]).drop_duplicates("image_id")
        first = first.set_index("image_id")[[field, "source", "weight"]]
        return first.rename(columns={"source": f"{field}__source", "weight": f"{field}__weight"})

    def _tags(self, best: pd.DataFrame, standing: pd.DataFrame) -> pd.Series:
        weights = self.given_tables["weights"].set_index("source")["weight"]
        said = []
        for kind in KINDS:
            some = best[["image_id", "source", f"tags_{kind}"]].explode(f"tags_{kind}")
            some = some.rename(columns={f"tags_{kind}": "tag"}).dropna()
            said.append(some.assign(category=kind, weight=some["source"].map(weights)))
        seen = standing[["image_id", "tagger_tags"]].explode("tagger_tags").dropna()
        machine = pd.json_normalize(seen["tagger_tags"].tolist())
        said.append(
            pd.DataFrame(
                {
                    "image_id": seen["image_id"].to_numpy(),
                    "source": "tagger",
                    "tag": machine["tag"],
                    "category": machine["category"],
                    "weight": machine["p"] * self.given.tagger_weight,
                }
            )
        )
        claims = pd.concat(said, ignore_index=True)
        words = pd.Series(claims["tag"].unique())
        plain = words.str.strip().str.lower().str.replace(" ", "_").replace(self.given.aliases)
        claims["tag"] = claims["tag"].map(dict(zip(words, plain, strict=True)))
        implied = claims.merge(self.given_tables["implications"], on="tag")
        implied = implied.drop(columns="tag").rename(columns={"name": "tag"})
        claims = pd.concat([claims, implied], ignore_index=True)
        claims["is_general"] = claims["category"] == "general"
        once = claims.sort_values(["is_general", "category"]).groupby(["image_id", "tag", "source"])
        once = once.agg(
            weight=("weight", "max"),
            category=("category", "first"),
            is_general=("is_general", "min"),
        ).reset_index()
        once["doubt"] = 1 - once["weight"]
        once = once.sort_values(
            ["image_id", "tag", "is_general", "weight", "source"],
            ascending=[True, True, True, False, True],
        )
        merged = once.groupby(["image_id", "tag"]).agg(
            category=("category", "first"), doubt=("doubt", "prod"), sources=("source", list)
        )
        merged["confidence"] = (1 - merged.pop("doubt")).round(6)
        merged = merged[merged["confidence"] >= self.given.confidence_min].reset_index()
        merged = merged.sort_values(
            ["image_id", "confidence", "tag"], ascending=[True, False, True]
        )
        merged["tags"] = merged[["tag", "category", "confidence", "sources"]].to_dict("records")
        return merged.groupby("image_id")["tags"].agg(list)

    def _input(self, name: str, partition: str | None = None) -> pd.DataFrame:
        folder = self.inputs / layout.stage_path(name, partition)
        files = sorted(folder.glob("*.parquet"))
        return pd.concat([pd.read_parquet(f, dtype_backend="pyarrow") for f in files])

    def _output(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.outputs / f"{name}.parquet", dtype_backend="pyarrow")

    def _write(self, name: str, rows: pd.DataFrame) -> None:
        rows.to_parquet(self.outputs / f"{name}.parquet", compression="zstd", index=False)
