"""An answer as lines that a person reads from top to bottom: the end first, then the way there."""

from collections.abc import Iterator
from typing import Any

WIDTH = 10  # of the names at the left


def text(answer: dict[str, Any]) -> str:
    """What `explain` told of one key, as text with a line's name at its left."""
    lines = [answer["key"], *_block("ended", map(ending, answer["ended"]))]
    lines += _way(answer["way"])
    lines += _cluster(answer["cluster"])
    lines += _block("safety", _safety(answer["safety"]))
    lines += _image(answer["image"])
    for recipe, rows in answer["prompts"].items():
        lines += _block(recipe, (line for row in rows for line in _prompt(row)))
    return "\n".join(lines)


def _block(name: str, lines: Any) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {name if number == 0 else '':{max(WIDTH, len(name))}} {line}"


def ending(end: dict[str, Any]) -> str:
    """One of the ends of an image's way, as a line."""
    stage = end["stage"]
    if stage == "dedup_cross":
        return f"dedup_cross: duplicate of {end['replaced_by']} by {', '.join(end['evidence'])}"
    if stage == "sanitized":
        return f"sanitized {end['recipe']}: dropped, {end['rule']}"
    if stage == "release":
        return _released(end)
    saw = f": {end['column']} is {said(end.get('value'))}" if "column" in end else ""
    kept = f", kept is {end['keeps']}" if "keeps" in end else ""
    return f"{stage}: dropped, {end['rule']}{saw}{kept}"


def _released(end: dict[str, Any]) -> str:
    name = f"release {end['release']}"
    if not end["published"]:
        return f"{name}: not published"
    if not end["holds"]:
        return f"{name}: does not hold it" + (f": {end['why']}" if end.get("why") else "")
    places = [f"{image['file_name']} in {image.get('shard')}" for image in end["images"]]
    return f"{name}: {', '.join([*places, *map('latent in {}'.format, end['latents'])])}"


def _way(way: dict[str, Any]) -> list[str]:
    """The lines of one key's own way through its source."""
    if "withheld" in way:
        return list(_block("withheld", [way["withheld"]]))
    record = {name: v for name, v in way["record"].items() if name not in ("image_key", "source")}
    told = [f"{name}: {said(value)}" for name, value in record.items()]
    metrics = {name: m for name, m in way["scores"].items() if isinstance(m, dict)}
    status = [f"{n}: {v}" for n, v in way["scores"].items() if not isinstance(v, dict)]
    scores = [f"{name} ({m['fingerprint']}): {_pairs(m['values'])}" for name, m in metrics.items()]
    return [
        *_block("address", map(_address, way["addresses"])),
        *_block("record", told or ["none"]),
        *_block("scores", [*status, *scores]),
        *_block("rules", map(_rule, way["rules"])),
        *_block("augmented", [_pairs(way["augmented"])] if way["augmented"] else []),
    ]


def _address(row: dict[str, Any]) -> str:
    place = f" at {row['offset']}, {row['length']} bytes" if "offset" in row else ""
    return f"{row['uri']}{place} (version {row['version']}{', removed' * bool(row['removed'])})"


def _rule(rule: dict[str, Any]) -> str:
    verdict = "DROPS" if rule["hit"] else "ok   "
    when = f" (when {rule['when']})" if "when" in rule else ""
    keeps = f", kept is {rule['keeps']}" if "keeps" in rule else ""
    saw = f"{rule['column']} = {said(rule['value'])}"
    return f"{verdict} {rule['stage']} {rule['rule']}: {saw}{keeps}{when}"


def _cluster(cluster: dict[str, Any]) -> list[str]:
    members = [
        f"{member['image_key']}: {member['role']}"
        + (f" of {member['representative']}" if member["role"] == "duplicate" else "")
        for member in cluster.get("members", [])
    ]
    alone = ["no other picture is this one"] if len(members) == 1 else []
    edges = [_edge(edge) for edge in cluster.get("edges", [])]
    near = [f"kept apart: {_edge(edge)}" for edge in cluster.get("variants", [])]
    return [
        *_block("cluster", alone or members),
        *_block("edges", [*edges, *near]),
    ]


def _edge(edge: dict[str, Any]) -> str:
    figures = {
        name: edge[name] for name in ("cosine", "phash_distance", "detail_distance") if name in edge
    }
    by = ", ".join(edge.get("evidence", [])) or "no evidence"
    return f"{edge['a']} – {edge['b']}: {by} ({_pairs(figures)})"


def _safety(safety: dict[str, Any]) -> Iterator[str]:
    if not safety["flags"]:
        yield "nothing speaks against it"
        return
    yield f"against the whole cluster: {', '.join(safety['flags'])}"
    for key, facts in safety["facts"].items():
        if facts:
            yield f"{key} says {', '.join(facts)}"
    for entry in safety["ledger"]:
        yield f"quarantine ledger: {entry['image_key']}, {entry['rule']}"


def _image(image: dict[str, Any]) -> list[str]:
    if not image:
        return []
    lines = list(_block("image", [f"{image['image_id']}, for it stands {image['representative']}"]))
    fields = image.get("fields", {})
    lines += _block("fields", [_field(name, field) for name, field in fields.items()])
    lines += _block("tags", [_tag(tag) for tag in image.get("tags", [])])
    lost = [f"left out: {_tag(tag)}" for tag in image.get("losing_tags", [])]
    return [*lines, *_block("", lost)]


def _field(name: str, field: dict[str, Any]) -> str:
    weight = f" ({field['weight']:g})" if "weight" in field else ""
    won = f"{name} = {said(field['value'])} from {field.get('source', 'nobody')}{weight}"
    lost = [
        f"{said(other['value'])} of {other['source']} ({said(other['weight'])})"
        for other in field["losing"]
    ]
    return won + (f"; lost: {', '.join(lost)}" if lost else "")


def tag_text(tag: dict[str, Any]) -> tuple[str, str, str, str]:
    """A merged tag: its name, its category, its confidence, and which sources say it."""
    sources = [
        f"{one['source']} {one['weight']:.3g}" + (f" as {one['said']}" if one["said"] else "")
        for one in tag["sources"]
    ]
    return tag["tag"], tag["category"], f"{tag['confidence']:.3g}", ", ".join(sources)


def _tag(tag: dict[str, Any]) -> str:
    return "{} ({}) {}: {}".format(*tag_text(tag))


def _prompt(row: dict[str, Any]) -> Iterator[str]:
    if not row["keep"]:
        yield f"variant {row['variant']} dropped: {', '.join(row.get('drop_reasons', []))}"
    if "prompt" in row:
        yield f"variant {row['variant']}: {row['prompt']}"
        yield f"{row.get('tokens')} of {row.get('budget')} tokens"
    for part in row.get("cut", []):
        yield f"cut by the budget: {part['tag']} ({part['group']})"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {said(value)}" for name, value in values.items())


def said(value: Any) -> str:
    """A value as a person writes it, on one line."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(
            f"{item['tag']} {item['p']:.2g}" if isinstance(item, dict) else str(item)
            for item in value
        )
    return "unknown" if value is None else str(value).replace("\n", " ")
