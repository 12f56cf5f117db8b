"""The model of `takedown.yaml`: who may revoke images of published releases."""

from typing import Annotated

from pydantic import Field, field_validator

from dataproc_assets.config.base import StrictModel

PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # Ed25519, 32 bytes in hex


class TakedownConfig(StrictModel):
    """The public keys whose revocations are honoured; a release's manifest names them too.

    Without any key nothing can be revoked. A key that is replaced stays in the list as long as it
    has signed a revocation that counts. A reader without this configuration trusts the keys that
    the release names: one that holds what a newer key revoked is refused until it is purged.
    """

    public_keys: list[PublicKey] = Field(default_factory=list)

    @field_validator("public_keys")
    @classmethod
    def _each_once(cls, keys: list[str]) -> list[str]:
        if len(set(keys)) != len(keys):
            raise ValueError("a key is there twice")
        return keys
