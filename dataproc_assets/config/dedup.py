"""The configuration of near-duplicate search: what joins two pictures, and which one stands."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel

Bits = Annotated[int, Field(ge=0, le=64)]


class OrderColumn(StrictModel):
    """One step of the total order: a column of the items and which end of it is better."""

    column: Literal["trust", "pixels", "file_bytes", "source", "image_key"]
    direction: Literal["ascending", "descending"]


class DetailConfig(StrictModel):
    """How far two thumbnails of one picture may differ, in levels of 0..255.

    No cell's brightness may differ by more than `floor` or, where that is more, `noise` times
    what 99 % of the cells stay below, and never by more than `ceiling`; no cell's colour by more
    than `chroma`. Up to `reach` of a side may have been cut off at each edge.
    """

    metric: str = Field(min_length=1)  # the metric whose `{metric}_detail` is compared
    floor: int = Field(ge=1, le=255)
    noise: int = Field(ge=0, le=16)
    ceiling: int = Field(ge=1, le=255)
    chroma: int = Field(ge=1, le=255)
    reach: float = Field(ge=0, le=0.1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ceiling < self.floor:
            raise ValueError(
                f"ceiling {self.ceiling} is below floor {self.floor}: what is always allowed "
                "would be refused, raise it"
            )
        return self


class SearchConfig(StrictModel):
    """How the search is cut into blocks; none of it changes a pair.

    Attributes:
        segment_rows: vectors of one segment; each two segments are a unit of work.
        block_rows: rows multiplied at a time on a processor: block_rows ** 2 * 4 bytes.
        gpu_block_rows: the same on a GPU.
        prefix_dims: principal dimensions that screen a pair; 0 screens in all.
        job_pairs: more pairs to compare go to the job runner, fewer are compared in the asset.
        max_pairs: of two segments, or claimed by one kind of link or hash; more of them end the
            search, naming the image or the value that has most.
    """

    segment_rows: int = Field(ge=1)
    block_rows: int = Field(ge=1)
    gpu_block_rows: int = Field(ge=1)
    prefix_dims: int = Field(ge=0)
    job_pairs: int = Field(ge=0)
    max_pairs: int = Field(ge=1)


class DedupConfig(StrictModel):
    """How pairs are found and decided.

    A pair at or above `cosine` is a duplicate up to `phash_distance` bits where `detail` finds no
    difference, a variant up to `variant_distance` bits, and otherwise not recorded. A platform's
    link joins two scored pictures only at or above `link_cosine_min`.
    """

    embedding: str = Field(min_length=1)  # the metric whose `{metric}_embedding` is compared
    cosine: float = Field(gt=0, le=1)
    phash_distance: Bits
    variant_distance: Bits
    detail: DetailConfig
    link_cosine_min: float = Field(ge=-1, le=1)
    order: list[OrderColumn]
    search: SearchConfig
    certificate_rows: int = Field(ge=1)
    certificate_seed: int = Field(ge=0)
    borderline_pairs: int = Field(ge=0)  # shown on either side of the cosine

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.variant_distance < self.phash_distance:
            raise ValueError(
                f"variant_distance {self.variant_distance} is below phash_distance "
                f"{self.phash_distance}: a variant lies beyond a duplicate, raise it"
            )
        if self.link_cosine_min > self.cosine:
            raise ValueError(
                f"link_cosine_min {self.link_cosine_min} is above cosine {self.cosine}: "
                "a link would then ask for more likeness than no link, lower it"
            )
        columns = [step.column for step in self.order]
        if len(set(columns)) < len(columns):
            raise ValueError(f"order names a column twice: {columns}")
        return self
