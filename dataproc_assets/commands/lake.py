"""The lake that a command works on."""

from dataproc_assets.config.project import load_project
from dataproc_assets.storage.lake import Lake


def the_lake() -> Lake:
    """The lake of the profile that DATAPROC_PROFILE names."""
    return Lake(load_project())
