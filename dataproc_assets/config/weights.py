"""Files that models are made of."""

from typing import Annotated

from pydantic import Field

from dataproc_assets.config.base import StrictModel

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class File(StrictModel):
    """A file a model is made of, pinned by the digest of its bytes.

    `uri` is `package:{package}/{path}`, a path or a `file://` URL.
    """

    uri: str
    sha256: Digest
