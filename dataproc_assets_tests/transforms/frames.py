"""Small frames in the shapes of the stages, for the tests of transforms and safety."""

from datetime import UTC, datetime

import polars as pl

from dataproc_assets.config.project import CONF
from dataproc_assets.config.sources import TrustConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.sources.columns import RECORD_SCHEMA

CREATED = datetime(2024, 1, 1, tzinfo=UTC)
TAGGED = pl.List(pl.Struct({"tag": pl.String, "category": pl.String, "p": pl.Float64}))
METRICS = {
    "metrics_status": pl.String,
    "metrics_error": pl.String,
    "pixels_width": pl.Int32,
    "pixels_height": pl.Int32,
    "pixels_sha256": pl.String,
    "clip_score": pl.Float32,
    "softmax_nsfw": pl.Float32,
    "pixels_alpha_share": pl.Float32,
    "pixels_frames": pl.Int32,
    "tagger_tags": TAGGED,
}
INTAKE = {
    "has_image": pl.Boolean,
    "has_record": pl.Boolean,
    "intake_drop": pl.String,
    "intake_drops": pl.List(pl.String),
}
AUGMENTED = {
    "pixels": pl.Int64,
    "aspect": pl.Float64,
    "bucket_width": pl.Int32,
    "bucket_height": pl.Int32,
    "year": pl.Int32,
    "period": pl.String,
    "tier": pl.String,
    "tier_percentile": pl.Float64,
}
GOOD = {
    "metrics_status": "ok",
    "pixels_width": 512,
    "pixels_height": 384,
    "pixels_sha256": "ab",
    "clip_score": 1.5,
    "softmax_nsfw": 0.1,
    "pixels_alpha_share": 0.0,
    "pixels_frames": 1,
    "has_image": True,
    "has_record": True,
    "created": CREATED,
    "status": "active",
    "kind": "image",
    "ai": "unknown",
}
TRUST = {
    "danbooru": TrustConfig(
        image=0.9, tags=0.9, artist=0.6, title=0.1, caption=0.1, created=0.4, tier=0.5
    ),
    "gelbooru": TrustConfig(
        image=0.7, tags=0.7, artist=0.3, title=0.1, caption=0.1, created=0.3, tier=0.5
    ),
    "pixiv": TrustConfig(
        image=0.8, tags=0.5, artist=0.9, title=0.9, caption=0.2, created=0.9, tier=0.5
    ),
}


def conf(name, model):
    """A shipped YAML file as its model."""
    return read_yaml(CONF / f"{name}.yaml", model)


def changed(model, **changes):
    """The model with fields replaced, checked again."""
    return type(model).model_validate({**model.model_dump(), **changes})


def rows(*items, **extra):
    """A frame of rows; a key's source is its first part, lists are empty unless given."""
    schema = {**RECORD_SCHEMA, **METRICS, **INTAKE, **extra}
    blank = {name: [] if isinstance(dtype, pl.List) else None for name, dtype in schema.items()}
    full = []
    for item in items:
        known = {"source": item["image_key"].split("/")[0], **GOOD}
        full.append({**blank, **{k: v for k, v in known.items() if k in blank}, **item})
    return pl.DataFrame(full, schema=schema)


def stacked(*items):
    """Augmented rows of all sources without prefixes, as they are merged."""
    full = [{"opt_out": False, "pixels": 512 * 384, **item} for item in items]
    return rows(*full, **AUGMENTED, opt_out=pl.Boolean).lazy()


def cluster(*keys, image_id="f" * 32, component=None, roles=None, best=None):
    """Members of one image; the first key stands for it unless `roles` says otherwise."""
    roles = roles or ["representative", *["duplicate"] * (len(keys) - 1)]
    return pl.LazyFrame(
        {
            "image_key": keys,
            "source": [key.split("/")[0] for key in keys],
            "component": [component or min(keys)] * len(keys),
            "image_id": [image_id] * len(keys),
            "role": roles,
            "best_in_source": best or [True] * len(keys),
        }
    )


def tag_list(*pairs):
    """A list of merged tags from `tag` or `tag::category`."""
    found = []
    for pair in pairs:
        tag, _, category = pair.partition("::")
        found.append(
            {"tag": tag, "category": category or "general", "confidence": 1.0, "sources": ["x"]}
        )
    return found


def images(*items):
    """Rows of `images` with what a prompt reads."""
    schema = {
        "image_id": pl.String,
        "tags": pl.List(
            pl.Struct(
                {
                    "tag": pl.String,
                    "category": pl.String,
                    "confidence": pl.Float64,
                    "sources": pl.List(pl.String),
                }
            )
        ),
        "rating": pl.String,
        "tier": pl.String,
        "tier_percentile": pl.Float64,
        "created": pl.Datetime("us", "UTC"),
        "year": pl.Int32,
        "period": pl.String,
        "caption": pl.String,
    }
    blank = dict.fromkeys(schema)
    return pl.LazyFrame([{**blank, "tags": [], **item} for item in items], schema=schema)
