"""The adapters: one module a crawler, found by its name; each reads a raw record.

A module has `to_common(raw)`, a ToCommon, or `reader(source)`, which makes one for a source's
configuration. It may have `merge(joined)`, a Merger, for what only this source's table needs.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import polars as pl

from dataproc_assets.config.adapters import module_name
from dataproc_assets.config.sources import SourceConfig

ToCommon = Callable[[dict[str, Any]], dict[str, Any]]
"""Raw record to columns of `RECORD_SCHEMA`, but `image_key` and `source`.

`post_id` is needed, and `page` and `asset` where the source's `native_id` has them. `updated` may
be added: of two records of one image, the later updated counts. Columns left out are unknown.
Raises ValueError (pydantic's ValidationError is one) for a record that it cannot read.
"""

Merger = Callable[[pl.LazyFrame], pl.LazyFrame]
"""What one source does to the joined table, whose columns have no prefix yet."""


def adapter(source: SourceConfig) -> ToCommon:
    """What reads a source's records. Raises ValueError where its module has no such function."""
    module = _module(source)
    if hasattr(module, "reader"):
        return module.reader(source)
    if hasattr(module, "to_common"):
        return module.to_common
    raise ValueError(
        f"the adapter {source.adapter!r} of {source.name} has no function `to_common(raw)`"
    )


def merger(source: SourceConfig) -> Merger | None:
    """What the adapter's module does when the source is merged, if anything."""
    return getattr(_module(source), "merge", None)


def _module(source: SourceConfig) -> ModuleType:
    return import_module(module_name(source.adapter))
