"""A dataset factory for anime-style image models, as a Dagster asset graph."""

from typing import TYPE_CHECKING

from dataproc_assets.version import __version__

if TYPE_CHECKING:
    import polars as pl

__all__ = ["__version__", "load"]


def load(
    table: str,
    *,
    source: str | None = None,
    recipe: str | None = None,
) -> "pl.LazyFrame":
    """A stage's table as a LazyFrame, in a notebook, without a run.

    `load("merged", source="pixiv")`, `load("images")`, `load("prompts", recipe="animagine4")`.
    The profile and the storage root are those of the environment, as for every command.

    Raises:
        ValueError: there is no such table, or its partition was not named.
        FileNotFoundError: the table was not made yet.
        ChangedFileError: a file is not the one that the table's manifest names.
    """
    from dataproc_assets.config.project import load_project
    from dataproc_assets.storage.lake import Lake
    from dataproc_assets.storage.named import load_named

    return load_named(Lake(load_project()), table, source=source, recipe=recipe)
