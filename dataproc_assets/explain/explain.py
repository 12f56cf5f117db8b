"""An image's whole way, put together: where it ended in each recipe and release, and by what."""

from typing import Any

from dataproc_assets.explain.cluster import cluster
from dataproc_assets.explain.merged import image, prompts
from dataproc_assets.explain.released import released
from dataproc_assets.explain.safety import safety
from dataproc_assets.explain.subject import Subject
from dataproc_assets.explain.way import ways
from dataproc_assets.storage.lake import Lake

HELD = "held back by a never rule: nothing that it shows or says is told"


def explain(lake: Lake, subject: Subject) -> list[dict[str, Any]]:
    """One answer for each key that was asked for, as values that JSON has, but for dates.

    An answer has `key`, `ended` (where its way ended, see `endings`), `way`, `cluster` with the
    `way` of each other member, `safety`, `image`, `prompts` and `releases`. Of an image that a
    never rule holds back it has the names of things and the rules, and none of its words.

    Raises:
        FileNotFoundError: a stage was never made.
        ChangedFileError: a file is not the one that its manifest names.
    """
    return [_answer(lake, key) for key in subject.keys]


def _answer(lake: Lake, key: str) -> dict[str, Any]:
    found = cluster(lake, key) if lake.info("members") else {}
    members = {member["image_key"]: member for member in found.get("members", [])}
    keys = sorted({key, *members})
    known = ways(lake, keys)
    judged = safety(lake, found.get("component", key), keys)
    image_id = members.get(key, {}).get("image_id")
    merged = image(lake, image_id) if image_id else {}
    said = prompts(lake, image_id) if image_id else {}
    answer = {
        "key": key,
        "way": known.pop(key),
        "cluster": {**found, "ways": known} if found else {},
        "safety": judged,
        "image": merged,
        "prompts": said,
        "releases": released(lake, image_id, keys),
    }
    if judged["held"] or merged.get("quarantined"):
        return bare(answer)
    return {"key": key, "ended": endings(answer), **answer}


def bare(answer: dict[str, Any], why: str = HELD) -> dict[str, Any]:
    """An answer with the names of things and the rules alone, and none of the image's words."""
    cluster, image = answer["cluster"], answer["image"]
    ways = {name: _bare(way, why) for name, way in cluster.get("ways", {}).items()}
    named = {name: image[name] for name in ("image_id", "representative") if name in image}
    prompts = answer["prompts"].items()
    told = {
        **{name: value for name, value in answer.items() if name != "ended"},
        "way": _bare(answer["way"], why),
        "cluster": {**cluster, "ways": ways} if cluster else {},
        "image": named,
        "prompts": {recipe: [_verdict(row) for row in rows] for recipe, rows in prompts},
    }
    return {"key": answer["key"], "ended": endings(told), **told}


def _bare(way: dict[str, Any], why: str) -> dict[str, Any]:
    """A way without its words: no address, no record, no score."""
    kept = ("key", "source", "intake", "drop_reasons")
    return {**{name: way[name] for name in kept}, "withheld": why}


def _verdict(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("variant", "keep", "drop_reasons")
    return {name: row[name] for name in kept if name in row}


def endings(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Where an image's way ended: `stage`, `rule`, and what the rule saw where it is known.

    What intake or the prefilter drops ends there, by each rule that hit. A duplicate ends in the
    search, and what follows is told of the image that it is a member of: an entry for each rule
    by which a recipe drops it, and one for each release, which `holds` it or not.
    """
    key, way = answer["key"], answer["way"]
    intake = way["intake"]["drop_reasons"]
    if intake:
        return [_hit(way, "todo", rule) for rule in intake]
    if way["drop_reasons"]:
        return [_hit(way, "prefiltered", rule) for rule in way["drop_reasons"]]
    members = {member["image_key"]: member for member in answer["cluster"].get("members", [])}
    own = members.get(key)
    if own is None:
        return [{"stage": "todo", "rule": "not_scored"}]
    found: list[dict[str, Any]] = []
    if own["role"] == "duplicate":
        said = own["drop_reason"].partition(": ")[2]
        replaced = {"replaced_by": own["representative"], "evidence": said.split(", ")}
        found.append({"stage": "dedup_cross", "rule": "duplicate", **replaced})
    found += [
        {"stage": "sanitized", "recipe": recipe, "rule": rule}
        for recipe, rows in answer["prompts"].items()
        for rule in dict.fromkeys(r for row in rows for r in row.get("drop_reasons", []))
    ]
    return found + [{"stage": "release", **told} for told in answer["releases"]]


def _hit(way: dict[str, Any], stage: str, rule: str) -> dict[str, Any]:
    """A rule that hit, with the value that it saw."""
    asked = [
        told for told in way.get("rules", []) if (told["stage"], told["rule"]) == (stage, rule)
    ]
    saw = {name: asked[0].get(name) for name in ("column", "value", "keeps")} if asked else {}
    return {"stage": stage, "rule": rule, **{n: v for n, v in saw.items() if v is not None}}
