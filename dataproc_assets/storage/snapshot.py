"""A lake at one moment: every state is read once, however often it is asked for."""

from dataproc_assets.config.project import Project
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.tables import TableInfo


class Snapshot(Lake):
    """A lake for many questions at once; each state is that of the first question."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._infos: dict[tuple[str, str | None], TableInfo | None] = {}
        self._states: dict[tuple[str, str | None], str] = {}

    def info(self, table: str, partition: str | None = None) -> TableInfo | None:
        """A stage table's manifest, read once."""
        key = (table, partition)
        if key not in self._infos:
            self._infos[key] = super().info(table, partition)
        return self._infos[key]

    def state(self, asset: str, partition: str | None) -> str:
        """What stands for an asset's content, read once."""
        key = (asset, partition)
        if key not in self._states:
            self._states[key] = super().state(asset, partition)
        return self._states[key]
