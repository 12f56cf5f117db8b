"""Files that models are made of: where they lie, and what pins their bytes."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, field_validator, model_validator

from dataproc_assets.config.base import StrictModel

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PLACE = "place"
_NO_VALUE = {"any_encoder"}  # what is allowed, not what is computed
CONFIG_NAME, WEIGHTS_NAME = "config.json", "diffusion_pytorch_model.safetensors"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FORMS = {  # of a file; a folder has one part less
    "package:": "{package}/{path}",
    "file://": "/path",
    "s3://": "bucket/key",
    "hf://": "owner/repo/path",
}


class _Pinned(StrictModel):
    """An address and what pins it.

    `place` is the file and line of the YAML that says so. `read_yaml` fills it in, so that a
    message can name it; YAML may not, and it takes no part in a fingerprint.
    """

    uri: str = Field(min_length=1)
    revision: str | None = None
    place: str = ""
    _fewer_parts: ClassVar[int] = 0  # than the address of a file has

    @field_validator("uri")
    @classmethod
    def _has_a_known_form(cls, uri: str) -> str:
        scheme = next((scheme for scheme in _FORMS if uri.startswith(scheme)), "")
        if not scheme and "://" in uri:
            raise ValueError(f"read is a path, or what begins with {', '.join(_FORMS)}")
        parts = uri.removeprefix(scheme).split("/")
        least = _FORMS.get(scheme, "").count("/") + 1 - cls._fewer_parts
        if scheme in ("s3://", "hf://") and (len(parts) < least or not all(parts)):
            raise ValueError(f"such an address is {scheme}{_FORMS[scheme]}")
        if scheme == "hf://" and "@" in uri:
            raise ValueError("the commit has a key of its own: revision")
        return uri

    @field_validator("revision")
    @classmethod
    def _is_a_commit(cls, revision: str | None) -> str | None:
        if revision is not None and not _COMMIT.fullmatch(revision):
            raise ValueError(
                "a branch or a tag can be moved to other bytes; give the 40 hex digits of a commit"
            )
        return revision

    @model_validator(mode="after")
    def _is_pinned(self) -> "_Pinned":
        if self.revision is not None and not self.uri.startswith("hf://"):
            raise ValueError("revision is for hf:// alone; pin this by its sha256")
        if self.revision is None and not getattr(self, "sha256", None):
            raise ValueError("give a sha256, or for hf:// the revision, that pins it")
        return self


class File(_Pinned):
    """A file a model is made of, pinned by the SHA-256 of its bytes or by a commit, or by both.

    `uri` is `package:{package}/{path}`, a path, `file://…`, `s3://bucket/key` or
    `hf://owner/repo/path/in/repo`. `revision` is the commit of an hf:// repository: it says which
    version is fetched, and the SHA-256, where there is one, what its bytes must be.
    """

    sha256: Digest | None = None


class Folder(_Pinned):
    """A folder of a model in the layout of diffusers: `config.json` and its safetensors.

    `uri` is as a File's, without the file; `sha256` is the digest of each of the two files, by
    its name.
    """

    sha256: dict[str, Digest] | None = None
    _fewer_parts: ClassVar[int] = 1

    @model_validator(mode="after")
    def _names_what_is_read(self) -> "Folder":
        if self.sha256 is not None:
            weights = [name for name in self.sha256 if name.endswith(".safetensors")]
            if set(self.sha256) != {CONFIG_NAME, *weights[:1]} or not weights:
                raise ValueError(f"sha256 names {CONFIG_NAME} and one .safetensors file")
        return self

    def files(self) -> dict[str, File]:
        """The architecture and the weights, by those words."""
        digests = self.sha256 or {}
        weights = next((name for name in digests if name != CONFIG_NAME), WEIGHTS_NAME)
        root = self.uri.rstrip("/")
        return {
            part: File(
                uri=f"{root}/{name}",
                sha256=digests.get(name),
                revision=self.revision,
                place=self.place,
            )
            for part, name in (("architecture", CONFIG_NAME), ("weights", weights))
        }


def files_of(config: Any, key: str = "") -> Iterator[tuple[str, File]]:
    """Every file that a configuration names, with its key, such as `encoder.weights`."""
    if isinstance(config, File):
        yield key, config
    elif isinstance(config, Folder):
        for file in config.files().values():
            yield f"{key}/{file.uri.rpartition('/')[2]}", file
    elif isinstance(config, BaseModel):
        for name in type(config).model_fields:
            yield from files_of(getattr(config, name), f"{key}.{name}".lstrip("."))
    elif isinstance(config, dict | list):
        items = config.items() if isinstance(config, dict) else enumerate(config)
        for name, value in items:
            yield from files_of(value, f"{key}.{name}".lstrip("."))


def pins(value: Any) -> Any:
    """A dumped configuration with what pins each file in its place: two that are equal compute
    equal values, wherever their files lie and whichever lines of YAML say so.
    """
    if isinstance(value, list):
        return [pins(item) for item in value]
    if not isinstance(value, dict):
        return value
    own = File.model_fields.keys() if File.model_fields.keys() <= value.keys() else ()
    rest = {key: pins(inner) for key, inner in value.items() if key not in {*own, *_NO_VALUE}}
    if not own:
        return rest
    pin = value["sha256"] or {"uri": value["uri"], "revision": value["revision"]}
    return {"pin": pin, **rest} if rest else pin
