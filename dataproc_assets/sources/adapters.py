"""The adapters by name: each turns a raw record into common columns."""

from collections.abc import Callable
from typing import Any

from dataproc_assets.sources import artstation, danbooru, gelbooru, pixiv, twitter, yandere

ToCommon = Callable[[dict[str, Any]], dict[str, Any]]
"""Raw record to columns of `RECORD_SCHEMA`, but `native_id` for `image_key` and `source`.

`updated` may be added: of two records of one image, the later updated counts. Columns left out are
unknown. Raises ValueError (pydantic's ValidationError is one) for a record that it cannot read.
"""

_ADAPTERS: dict[str, ToCommon] = {
    "pixiv": pixiv.to_common,
    "danbooru": danbooru.to_common,
    "gelbooru": gelbooru.to_common,
    "yandere": yandere.to_common,
    "twitter": twitter.to_common,
    "artstation": artstation.to_common,
}


def adapter(name: str) -> ToCommon:
    """The adapter that `conf/sources/*.yaml` names; raises KeyError with the known names."""
    try:
        return _ADAPTERS[name]
    except KeyError:
        raise KeyError(f"no adapter {name!r}; there are {', '.join(_ADAPTERS)}") from None
