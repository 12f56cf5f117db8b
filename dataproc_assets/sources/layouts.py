"""How a crawl names its images: the key in a file name."""

import re

import polars as pl

from dataproc_assets.config.sources import NATIVE_IDS, SourceConfig


def image_keys(names: pl.Expr, source: SourceConfig) -> pl.Expr:
    """The `image_key` of each file name, str; the folders of a path are ignored.

    Null where the name does not match `source.key` or ends in none of `source.crawl.extensions`.
    Page numbers lose leading zeros, as crawlers pad them or not.
    """
    name = names.str.extract(r"([^/]*)$")
    groups = name.str.extract_groups(source.key)
    template = f"{source.name}/{NATIVE_IDS[source.adapter]}"
    values = []
    for group in re.findall(r"{(\w+)}", template):
        value = groups.struct.field(group)
        values.append(value.cast(pl.Int64, strict=False) if group == "page" else value)
    key = pl.format(re.sub(r"{\w+}", "{}", template), *values)
    is_image = name.str.extract(r"\.([^.]+)$").str.to_lowercase().is_in(source.crawl.extensions)
    return pl.when(is_image).then(key)
