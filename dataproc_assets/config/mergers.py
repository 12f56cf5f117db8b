"""What a source's merger is told of the site: which tags and texts say nothing of the picture."""

from typing import Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.rules import Regex

Rating = Literal["general", "sensitive", "questionable", "explicit"]


class MergerConfig(StrictModel):
    """The section `merger` of a source. Case never counts; in whole tags and titles, width neither.

    `ratings` are tags that stand for a rating: the record has at least that one, and loses the
    tag. A record with one of `banned_tags` has the status banned; the tag stays, but is no artist's
    name. `cut_from_tags` are patterns of what is cut out of a tag; where nothing is left the tag
    goes. `meta_tags` are patterns of whole tags that a site without categories has among the
    general ones: they become meta. `cut_from_captions` are patterns of what is cut out of a
    caption, and `no_titles` are texts that people write where a title is asked for; what goes of
    these is kept in the column `text_cut`, since safety reads every word.
    """

    ratings: dict[Rating, list[str]] = Field(default_factory=dict)
    banned_tags: list[str] = Field(default_factory=list)
    cut_from_tags: list[Regex] = Field(default_factory=list)
    meta_tags: list[Regex] = Field(default_factory=list)
    cut_from_captions: list[Regex] = Field(default_factory=list)
    no_titles: list[str] = Field(default_factory=list)
