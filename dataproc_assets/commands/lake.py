"""The lake that a command works on, and where its runs are recorded."""

import os
from pathlib import Path

import click

from dataproc_assets.config.project import load_project
from dataproc_assets.storage.lake import Lake


def the_lake() -> Lake:
    """The lake of the profile that DATAPROC_PROFILE names."""
    return Lake(load_project())


def dagster_home() -> Path:
    """DAGSTER_HOME, by default the current folder where it has a dagster.yaml."""
    home = Path(os.environ.get("DAGSTER_HOME") or Path.cwd()).absolute()
    if not (home / "dagster.yaml").is_file():
        raise click.ClickException(
            f"{home} has no dagster.yaml: run in the project's folder, or set DAGSTER_HOME to it"
        )
    os.environ["DAGSTER_HOME"] = str(home)
    return home
