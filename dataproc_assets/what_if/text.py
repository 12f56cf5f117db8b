"""What a changed setting would give, as lines for a person."""

from collections.abc import Iterator

from dataproc_assets.what_if.changes import Changes
from dataproc_assets.what_if.engine import Outcome

SHOWN = 5  # keys of one move


def lines(outcome: Outcome, changed: Changes) -> Iterator[str]:
    """The setting, the counts that change, and which images they are."""
    yield f"{' '.join(outcome.settings)}"
    yield f"  makes again: {', '.join(outcome.made) or 'nothing'}"
    counts = changed.counts.filter(changed.counts["now"] != changed.counts["then"])
    if counts.is_empty():
        yield "  no count changes"
    for row in counts.iter_rows(named=True):
        more = row["then"] - row["now"]
        name = f"{row['where']}: {row['fate']}" if row["where"] else row["fate"]
        yield f"  {name:40} {row['now']:>10,} -> {row['then']:>10,}  {more:+,}"
    for row in changed.moves.iter_rows(named=True):
        keys = ", ".join(row["keys"][:SHOWN])
        rest = len(row["keys"]) - SHOWN
        more = f" and {rest:,} more" if rest > 0 else ""
        where = f"{row['where']}: " if row["where"] else ""
        yield f"  {where}{row['fate']} -> {row['fate_then']}: {keys}{more}"
    for recipe, count in changed.prompts.items():
        yield f"  {recipe}: {count:,} images get other prompts"
    for metric, count in outcome.without.items():
        yield f"  {count:,} images have no {metric} yet: a run would make it, and prompts with it"
