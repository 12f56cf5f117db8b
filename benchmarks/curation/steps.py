"""The three steps of a side, and where their tables lie."""

from abc import ABC, abstractmethod
from pathlib import Path

from benchmarks.curation.given import Given
from dataproc_assets.storage import layout

SOURCES = ("danbooru", "pixiv")


class Steps(ABC):
    """A side of the contest: it reads the inputs below `inputs` and writes below `outputs`."""

    def __init__(self, inputs: Path, outputs: Path, given: Given) -> None:
        self.inputs, self.outputs, self.given = inputs, outputs, given

    @abstractmethod
    def curate(self) -> None:
        """Merge, prefilter and augment each source."""

    @abstractmethod
    def images(self) -> None:
        """Merge the sources: one row an image."""

    @abstractmethod
    def prompts(self) -> None:
        """Make the prompts of the recipe."""

    def table(self, name: str, partition: str | None = None) -> str:
        """The files of an input table, for SQL."""
        return f"'{self.inputs / layout.stage_path(name, partition)}/*.parquet'"

    def out(self, name: str) -> str:
        """The file of a table that an earlier step wrote, for SQL."""
        return f"'{self.outputs / name}.parquet'"
