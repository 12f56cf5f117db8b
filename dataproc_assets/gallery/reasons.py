"""Why rows were dropped, by name and number, over every stage that drops."""

import re
from dataclasses import dataclass

import polars as pl

from dataproc_assets.gallery.tables import GalleryTables

# A reason that is spelled in a way not foreseen here would show a picture, so the marks are wider
# than they need be. They are compared after all but letters is taken out.
REFUSED_MARKS = {
    "takedown": "takedown",
    "takendown": "takedown",
    "optout": "opt_out",
    "optedout": "opt_out",
    "bannedartist": "banned_artist",
    "bannedstatus": "banned_status",
    "quarantin": "quarantine",
    "never": "quarantine",
    "child": "quarantine",
    "unchecked": "unchecked",
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

    @property
    def heading(self) -> str:
        """The name, with the stage where it is not curation: recipes share reasons."""
        return self.name if self.stage == "curation" else f"{self.name} ({self.stage})"


def refused_label(reason: str | None) -> str | None:
    """The kind of a reason that forbids to show the picture; None for every other reason."""
    letters = re.sub("[^a-z]", "", (reason or "").lower())
    return next((name for mark, name in REFUSED_MARKS.items() if mark in letters), None)


def refused_reasons(reasons: pl.Series) -> list[str]:
    """Those of a series of reasons, or of lists of them, that forbid to show the picture."""
    flat = reasons.explode() if isinstance(reasons.dtype, pl.List) else reasons
    return sorted(reason for reason in flat.drop_nulls().unique() if refused_label(reason))


def reason_name(reason: str | None) -> str:
    """A reason without its particulars: `duplicate of a: md5` is `duplicate`, none `unknown`.

    The particulars may name an artist or a key that must not be copied.
    """
    name = re.split(":| of ", reason or "", maxsplit=1)[0].strip()
    return refused_label(reason) or name or "unknown"


def dropped(tables: GalleryTables) -> dict[str, pl.DataFrame]:
    """By stage, one row for each row dropped there: image_key, source, reason."""
    rows = tables.augmented.filter(~pl.col("keep").fill_null(True))
    duplicates = tables.members.filter(pl.col("role") == "duplicate")
    stages = {
        "curation": rows.select("image_key", "source", reason=_named(rows["drop_reason"])),
        "dedup": duplicates.select("image_key", "source", reason=pl.lit("duplicate")),
    }
    source = pl.col("representative").str.split("/").list.first()
    keys = tables.images.select("image_id", image_key="representative", source=source)
    for recipe, frame in tables.sanitized.items():
        first = (
            frame.filter(~pl.col("keep").fill_null(True))
            .unique("image_id", keep="first", maintain_order=True)
            .join(keys, on="image_id", maintain_order="left")
        )
        reason = _named(first["drop_reason"])
        stages[f"recipe {recipe}"] = first.select("image_key", "source", reason=reason)
    return stages


def _named(reasons: pl.Series) -> pl.Series:
    """The names of reasons, of which there are few different ones."""
    different = reasons.unique()
    names = [reason_name(reason) for reason in different]
    return reasons.replace_strict(different, names, return_dtype=pl.String)


def count_reasons(stages: dict[str, pl.DataFrame], sources: list[str]) -> list[Reason]:
    """The reasons of `dropped`: the stages in their order, in each the most frequent first."""
    found: list[Reason] = []
    for stage, rows in stages.items():
        totals = rows.group_by("reason").len()
        cells = rows.group_by("reason", "source").len()
        counts = {(reason, source): number for reason, source, number in cells.iter_rows()}
        for name, total in totals.sort(["len", "reason"], descending=[True, False]).rows():
            by_source = {source: counts.get((name, source), 0) for source in sources}
            anchor, shows = f"reason-{len(found) + 1}", refused_label(name) is None
            found.append(Reason(anchor, stage, name, total, by_source, shows))
    return found
