"""The tables that the gallery shows, in one fixed form whatever rows and columns they came with."""

from dataclasses import dataclass, field, fields
from typing import Any

import polars as pl

from dataproc_assets.storage.digest import frame_digest, json_digest

_TEXT = pl.String
_LIST = pl.List(pl.String)

SCHEMAS = {
    "augmented": pl.Schema(
        {
            "image_key": _TEXT, "source": _TEXT, "keep": pl.Boolean, "drop_reason": _TEXT,
            "drop_reasons": _LIST, "intake_drops": _LIST, "rating": _TEXT, "tier": _TEXT,
            "tier_percentile": pl.Float64, "tier_reason": _TEXT, "title": _TEXT,
            "pixels_sha256": _TEXT, "pixels_width": pl.Int32, "pixels_height": pl.Int32,
            "clip_score": pl.Float32, "year": pl.Int32, "post_id": _TEXT, "artist_ids": _LIST,
            "artist_names": _LIST, "tags_artist": _LIST, "md5": _TEXT, "pixels_md5": _TEXT,
            "tags": _LIST,
        }
    ),
    "flags": pl.Schema({"image_key": _TEXT, "flags": _LIST}),
    "edges": pl.Schema(
        {
            "a": _TEXT, "b": _TEXT, "cosine": pl.Float64, "phash_distance": pl.Int32,
            "detail_distance": pl.Int32, "evidence": _LIST, "kind": _TEXT,
        }
    ),
    "members": pl.Schema(
        {
            "image_key": _TEXT, "source": _TEXT, "component": _TEXT, "representative": _TEXT,
            "role": _TEXT,
        }
    ),
    "images": pl.Schema(
        {
            "image_id": _TEXT, "representative": _TEXT, "members": _LIST, "sources": _LIST,
            "sha256": _TEXT, "rating": _TEXT, "opt_out": pl.Boolean, "title": _TEXT,
            "caption": _TEXT, "tags": _LIST,
        }
    ),
    "sanitized": pl.Schema(
        {
            "image_id": _TEXT, "variant": pl.Int32, "prompt": _TEXT, "tokens": pl.Int32,
            "keep": pl.Boolean, "drop_reason": _TEXT, "drop_reasons": _LIST,
        }
    ),
    "addresses": pl.Schema(
        {"image_key": _TEXT, "uri": _TEXT, "offset": pl.Int64, "length": pl.Int64}
    ),
    "funnel": pl.Schema({"stage": _TEXT, "source": _TEXT, "rows": pl.Int64, "kept": pl.Int64}),
    "quarantined": pl.Schema({"image_key": _TEXT, "rule": _TEXT}),
    "previews": pl.Schema({"sha256": _TEXT, "psnr": pl.Float64, "preview": pl.Binary}),
    "drawn": pl.Schema(
        {
            "image_id": _TEXT, "release": _TEXT, "prompt": _TEXT, "guidance": pl.Float64,
            "picture": pl.Binary,
        }
    ),
}  # fmt: skip
SORTED_BY = {
    "augmented": ["image_key"],
    "flags": ["image_key"],
    "edges": ["a", "b"],
    "members": ["image_key"],
    "images": ["image_id"],
    "sanitized": ["image_id", "variant"],
    "addresses": ["image_key", "uri", "offset"],
    "quarantined": ["image_key", "rule"],
    "previews": ["sha256", "psnr"],
    "drawn": ["image_id", "release", "guidance"],
}


@dataclass(frozen=True)
class GalleryTables:
    """What the gallery is made from; every table may be empty.

    `augmented` holds all sources, with the columns' namespaces taken off, and `flags` what safety
    says of each of its rows: a row that safety did not judge is not shown. Columns that are not
    in SCHEMAS are not read and those that are missing count as unknown, but a key must be there.
    `funnel` is in the order of the stages. `previews` are decoded latents (WebP bytes) by the
    SHA-256 of their original; `releases` are published manifests as dicts; `cosine` is the
    threshold of dedup; an edge without a kind joins nothing and is only shown. `quarantined` has a
    row for each key and rule. `drawn` are pictures (WebP bytes) that a release's denoiser drew of
    an image's prompt, `denoisers` what `samples.denoiser_figures` gives of each.
    """

    augmented: pl.DataFrame
    flags: pl.DataFrame
    cosine: float
    edges: pl.DataFrame = field(default_factory=SCHEMAS["edges"].to_frame)
    members: pl.DataFrame = field(default_factory=SCHEMAS["members"].to_frame)
    images: pl.DataFrame = field(default_factory=SCHEMAS["images"].to_frame)
    sanitized: dict[str, pl.DataFrame] = field(default_factory=dict)
    addresses: pl.DataFrame = field(default_factory=SCHEMAS["addresses"].to_frame)
    funnel: pl.DataFrame = field(default_factory=SCHEMAS["funnel"].to_frame)
    quarantined: pl.DataFrame = field(default_factory=SCHEMAS["quarantined"].to_frame)
    previews: pl.DataFrame = field(default_factory=SCHEMAS["previews"].to_frame)
    releases: list[dict[str, Any]] = field(default_factory=list)
    drawn: pl.DataFrame = field(default_factory=SCHEMAS["drawn"].to_frame)
    denoisers: list[dict[str, Any]] = field(default_factory=list)


def canonical(tables: GalleryTables) -> GalleryTables:
    """The tables with SCHEMAS' columns and types alone, sorted by their keys.

    Raises ValueError where a table lacks its key.
    """
    frames = {
        name: _canonical(name, getattr(tables, name)) for name in SCHEMAS if name != "sanitized"
    }
    recipes = sorted(tables.sanitized.items())
    return GalleryTables(
        **frames,
        cosine=tables.cosine,
        sanitized={recipe: _canonical("sanitized", frame) for recipe, frame in recipes},
        releases=sorted(tables.releases, key=lambda release: str(release.get("name"))),
        denoisers=sorted(tables.denoisers, key=lambda denoiser: denoiser["name"]),
    )


def input_digests(tables: GalleryTables) -> dict[str, str]:
    """The digest of each table, by its name; where the pictures lie is no part of the content."""
    values = {item.name: getattr(tables, item.name) for item in fields(tables)}
    values.pop("addresses")
    recipes = values.pop("sanitized")
    values |= {f"sanitized/{recipe}": frame for recipe, frame in recipes.items()}
    return {
        name: frame_digest(value) if isinstance(value, pl.DataFrame) else json_digest(value)
        for name, value in sorted(values.items())
    }


def _canonical(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    schema = SCHEMAS[name]
    keys = SORTED_BY.get(name, [])
    if keys and keys[0] not in frame.columns:
        raise ValueError(f"the gallery's table {name!r} has no column {keys[0]!r}")
    if isinstance(frame.schema.get("tags"), pl.List) and frame.schema["tags"] != _LIST:
        tag = pl.element().struct.field("tag")
        frame = frame.with_columns(pl.col("tags").list.eval(tag))
    columns = [
        (pl.col(column) if column in frame.columns else pl.lit(None)).cast(dtype).alias(column)
        for column, dtype in schema.items()
    ]
    rows = frame.select(columns)
    if not keys:
        return rows
    rows = rows.sort(keys, nulls_last=True, maintain_order=True)
    if name in {"addresses", "previews"}:
        rows = rows.unique(keys[0], keep="first", maintain_order=True)
    return rows
