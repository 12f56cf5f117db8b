"""An answer as tables, for a page: the same facts as the text, each under its heading."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dataproc_assets.explain.text import ending, said, tag_text

EDGE = ("a", "b", "evidence", "cosine", "phash_distance", "detail_distance")


@dataclass(frozen=True)
class Table:
    """Rows of text below a heading; `marked` are the numbers of those that tell against it."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    marked: frozenset[int] = frozenset()


def endings_text(answer: dict[str, Any]) -> list[str]:
    """Where an image's way ended, a line each."""
    return [ending(end) for end in answer["ended"]]


def tables(answer: dict[str, Any]) -> list[Table]:
    """What `explain` told of one key, in the order of the way; a table without rows is left out."""
    found = [
        *_releases(answer["releases"]),
        *_safety(answer["safety"]),
        *_cluster(answer["cluster"]),
        *_way(answer["way"]),
        *_image(answer["image"]),
        *(table for recipe, rows in answer["prompts"].items() for table in _prompts(recipe, rows)),
    ]
    return [table for table in found if table.rows]


def _pairs(title: str, values: dict[str, Any]) -> Table:
    return Table(title, ("name", "value"), [(name, said(value)) for name, value in values.items()])


def _way(way: dict[str, Any]) -> Iterator[Table]:
    if "withheld" in way:
        return
    hits = [number for number, rule in enumerate(way["rules"]) if rule["hit"]]
    columns = ("stage", "rule", "verdict", "column", "value", "is kept where", "asked when")
    rules = [
        (
            rule["stage"],
            rule["rule"],
            "drops" if rule["hit"] else "passes",
            rule["column"],
            said(rule["value"]),
            rule.get("keeps", ""),
            rule.get("when", ""),
        )
        for rule in way["rules"]
    ]
    yield Table("Rules, in the order they were asked", columns, rules, frozenset(hits))
    metrics = {name: told for name, told in way["scores"].items() if isinstance(told, dict)}
    scores = [
        (metric, told["fingerprint"], name, said(value))
        for metric, told in metrics.items()
        for name, value in told["values"].items()
    ]
    status = [("status", "", n, said(v)) for n, v in way["scores"].items() if n not in metrics]
    yield Table("Scores", ("metric", "fingerprint", "name", "value"), [*status, *scores])
    yield _pairs("Added by curation", way["augmented"])
    record = {name: v for name, v in way["record"].items() if name not in ("image_key", "source")}
    yield _pairs("Record as crawled", record)
    columns = ("address", "offset", "bytes", "version", "removed")
    names = ("uri", "offset", "length", "version", "removed")
    rows = [tuple(said(row.get(name, "")) for name in names) for row in way["addresses"]]
    yield Table("Addresses", columns, rows)


def _cluster(cluster: dict[str, Any]) -> Iterator[Table]:
    columns = ("one", "other", "evidence", "cosine", "pHash distance", "detail, %")
    for title, name in (
        ("What joined the copies", "edges"),
        ("Much alike, and kept apart", "variants"),
        ("Below the threshold", "borderline"),
    ):
        rows = [tuple(said(edge.get(part, "")) for part in EDGE) for edge in cluster.get(name, [])]
        yield Table(title, columns, rows)


def _safety(safety: dict[str, Any]) -> Iterator[Table]:
    rows = [("the whole cluster", flag) for flag in safety["flags"]]
    rows += [(key, fact) for key, facts in safety["facts"].items() for fact in facts]
    rows += [(f"ledger: {row['image_key']}", row["rule"]) for row in safety["ledger"]]
    title = "What speaks against it" if safety["flags"] or safety["held"] else "What safety noted"
    yield Table(title, ("of", "rule"), rows)


def _releases(releases: list[dict[str, Any]]) -> Iterator[Table]:
    rows: list[tuple[str, ...]] = []
    for told in releases:
        name = told["release"]
        if not told["published"]:
            rows.append((name, "not published", "", "", ""))
        elif not told["holds"]:
            rows.append((name, "no", told.get("why", ""), "", ""))
        for place in told.get("images", []):
            latents = ", ".join(told["latents"])
            rows.append((name, "yes", place["file_name"], said(place.get("shard")), latents))
    yield Table("Releases", ("release", "holds it", "file, or why not", "shard", "latents"), rows)


def _image(image: dict[str, Any]) -> Iterator[Table]:
    if not image:
        return
    names = {name: image[name] for name in ("image_id", "representative", "sources", "members")
             if name in image}  # fmt: skip
    yield _pairs("The image", {**names, **image.get("measured", {})})
    columns = ("field", "value", "from", "weight", "values that lost")
    rows = [
        (
            name,
            said(field["value"]),
            str(field.get("source", "nobody")),
            said(field.get("weight", "")),
            "; ".join(
                f"{said(lost['value'])} of {lost['source']} ({said(lost['weight'])})"
                for lost in field["losing"]
            ),
        )
        for name, field in image.get("fields", {}).items()
    ]
    yield Table("Merged fields", columns, rows)
    columns = ("tag", "category", "confidence", "who says so", "")
    rows = [(*tag_text(tag), "") for tag in image.get("tags", [])]
    lost = [(*tag_text(tag), "left out") for tag in image.get("losing_tags", [])]
    marked = frozenset(range(len(rows), len(rows) + len(lost)))
    yield Table("Tags", columns, [*rows, *lost], marked)


def _prompts(recipe: str, prompts: list[dict[str, Any]]) -> Iterator[Table]:
    columns = ("variant", "verdict", "prompt", "tokens", "cut by the budget")
    rows = []
    for row in prompts:
        verdict = "kept" if row["keep"] else ", ".join(row.get("drop_reasons", []))
        tokens = f"{row['tokens']} of {row['budget']}" if "tokens" in row else ""
        cut = ", ".join(f"{part['tag']} ({part['group']})" for part in row.get("cut", []))
        rows.append((said(row["variant"]), verdict, row.get("prompt", ""), tokens, cut))
    dropped = frozenset(number for number, row in enumerate(prompts) if not row["keep"])
    yield Table(f"Prompts of {recipe}", columns, rows, dropped)
