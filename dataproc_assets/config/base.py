"""The base of every configuration model: nothing unknown, nothing changed after loading."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys, NaN and infinity, and silent type conversion."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, strict=True, populate_by_name=True
    )
