"""How a crawl names its images: the key in a file name."""

import re

import polars as pl

from dataproc_assets.config.sources import NATIVE_ID, SourceConfig

_PART = {"id": ".+", "page": "[0-9]+", "asset": "[A-Za-z0-9-]+"}


def image_keys(names: pl.Expr, source: SourceConfig) -> pl.Expr:
    """The `image_key` of each file name, str; the folders of a path are ignored.

    Null where the name does not match `source.key`, ends in none of `source.crawl.extensions` or
    gives a key that no file name may hold. Page numbers lose leading zeros, as crawlers pad them
    or not.
    """
    name = names.str.extract(r"([^/]*)$")
    groups = name.str.extract_groups(source.key)
    values = []
    for group in source.key_parts:
        value = groups.struct.field(group)
        values.append(value.cast(pl.Int64, strict=False) if group == "page" else value)
    native = pl.format(re.sub(r"{\w+}", "{}", source.native_id), *values)
    is_image = name.str.extract(r"\.([^.]+)$").str.to_lowercase().is_in(source.crawl.extensions)
    is_safe = native.str.contains(f"^{NATIVE_ID}$")
    return pl.when(is_image & is_safe).then(pl.format("{}/{}", pl.lit(source.name), native))


def key_part(source: SourceConfig, part: str) -> pl.Expr:
    """`id`, `page` or `asset` of the column `image_key`, str; null in a key of another form."""
    pattern = re.sub(
        r"{(\w+)}", lambda found: f"(?P<{found[1]}>{_PART[found[1]]})", source.native_id
    )
    groups = pl.col("image_key").str.extract_groups(f"^{source.name}/{pattern}$")
    return groups.struct.field(part)
