"""Why rows were dropped, by name and number, over every stage that drops."""

from dataclasses import dataclass

import polars as pl

from dataproc_assets.gallery.tables import GalleryTables

# A reason that is spelled in a way not foreseen here would show a picture, so the marks are wider
# than they need be. They are compared after all but letters is taken out.
CONSENT_MARKS = {
    "takedown": "takedown",
    "takendown": "takedown",
    "optout": "opt_out",
    "optedout": "opt_out",
    "consent": "opt_out",
    "paidreward": "opt_out",
    "banned": "banned",
    "quarantin": "quarantine",
    "never": "quarantine",
}


@dataclass(frozen=True)
class Reason:
    """A reason of one stage; `rows` by source, in the order of the sources. `anchor` is an id."""

    anchor: str
    stage: str
    name: str
    total: int
    rows: dict[str, int]
    shows_pictures: bool


def consent_label(reason: pl.Expr) -> pl.Expr:
    """The kind of a reason that forbids to show the picture; null for every other reason."""
    letters = reason.str.to_lowercase().str.replace_all("[^a-z]", "")
    label = pl.lit(None, pl.String)
    for mark, name in CONSENT_MARKS.items():
        marked = letters.str.contains(mark, literal=True)
        label = pl.when(label.is_null() & marked).then(pl.lit(name)).otherwise(label)
    return label


def reason_name(reason: pl.Expr) -> pl.Expr:
    """A reason without its particulars: `duplicate of a: md5` is `duplicate`, null `unknown`.

    The particulars may name an artist or a key that must not be copied.
    """
    name = reason.str.replace(r"(?s)(:| of ).*$", "").str.strip_chars()
    return pl.coalesce(consent_label(reason), name, pl.lit("unknown"))


def dropped(tables: GalleryTables) -> dict[str, pl.DataFrame]:
    """By stage, one row for each row dropped there: image_key, source, reason."""
    rows = tables.augmented.filter(~pl.col("keep").fill_null(True))
    duplicates = tables.members.filter(pl.col("role") == "duplicate")
    stages = {
        "curation": rows.select("image_key", "source", reason=reason_name(pl.col("drop_reason"))),
        "dedup": duplicates.select("image_key", "source", reason=pl.lit("duplicate")),
    }
    source = pl.col("representative").str.split("/").list.first()
    keys = tables.images.select("image_id", image_key="representative", source=source)
    for recipe, frame in tables.sanitized.items():
        first = frame.filter(~pl.col("keep").fill_null(True)).unique(
            "image_id", keep="first", maintain_order=True
        )
        stages[f"recipe {recipe}"] = first.join(keys, on="image_id", maintain_order="left").select(
            "image_key", "source", reason=reason_name(pl.col("drop_reason"))
        )
    return stages


def count_reasons(stages: dict[str, pl.DataFrame], sources: list[str]) -> list[Reason]:
    """The reasons of `dropped`: the stages in their order, in each the most frequent first."""
    found: list[Reason] = []
    for stage, rows in stages.items():
        totals = rows.group_by("reason").agg(
            pl.len(), consent_label(pl.col("reason").first()).is_null().alias("shows")
        )
        cells = rows.group_by("reason", "source").len()
        counts = {(reason, source): number for reason, source, number in cells.iter_rows()}
        for name, total, shows in totals.sort(["len", "reason"], descending=[True, False]).rows():
            by_source = {source: counts.get((name, source), 0) for source in sources}
            found.append(Reason(f"reason-{len(found) + 1}", stage, name, total, by_source, shows))
    return found
