"""What the hosts of a SageMaker job are told, and where they leave their progress."""

from typing import Any

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.runners import LocalRunnerConfig

PROGRESS = "DATAPROC_PROGRESS"  # the URL that hosts leave their progress below


class Order(StrictModel):
    """What every host is to do: `processing/input/config/order.json`."""

    module: str
    config: dict[str, Any]
    name: str
    runner: LocalRunnerConfig
