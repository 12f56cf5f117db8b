"""Field types of pydantic models of raw records, each with its reader of `values`."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from dataproc_assets.sources import values


class Raw(BaseModel):
    """A raw record: unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore")


Id = Annotated[str, PlainValidator(lambda value: values.identifier(values.needed(value)))]
ExactId = Annotated[
    str, PlainValidator(lambda value: values.exact_identifier(values.needed(value)))
]
"""A number beyond 2**53, which no float can hold: floats are refused."""
OptionalId = Annotated[str | None, PlainValidator(values.identifier)]
Link = Annotated[str | None, PlainValidator(values.link)]
ExactLink = Annotated[str | None, PlainValidator(values.exact_link)]
Whole = Annotated[int | None, PlainValidator(values.whole)]
Small = Annotated[int | None, PlainValidator(values.small)]
Size = Annotated[int | None, PlainValidator(values.size)]
Number = Annotated[float | None, PlainValidator(values.number)]
Flag = Annotated[bool | None, PlainValidator(values.flag)]
Text = Annotated[str | None, PlainValidator(values.text)]
EscapedText = Annotated[str | None, PlainValidator(values.escaped_text)]
PlainText = Annotated[str | None, PlainValidator(values.plain_text)]
Md5 = Annotated[str | None, PlainValidator(values.md5)]
Tags = Annotated[list[str], PlainValidator(values.tags), Field(default_factory=list)]
"""Empty where the record has none, so that no default need be given."""
EscapedTags = Annotated[list[str], PlainValidator(values.escaped_tags), Field(default_factory=list)]
Time = Annotated[datetime | None, PlainValidator(values.moment)]
Inner = BeforeValidator(lambda value: {} if value is None or value != value else value)
"""An object in a record: where it is null, all of its fields are unknown."""
