"""How fast passes went, by the done marks of the units that were finished last."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dataproc_assets.storage.objects import ObjectStore

UNITS = 16  # of the newest marks; older ones may tell of another machine


@dataclass(frozen=True)
class Rate:
    """Seconds of one worker an image, by metric, and over how many images they were measured.

    With `images` 0 they are the estimates of the metrics' YAML.
    """

    seconds: dict[str, float]
    images: int


def measured_rate(store: ObjectStore, marks: list[str], estimates: Mapping[str, float]) -> Rate:
    """The estimates, scaled to what the units of some done marks took.

    A pass shares one decode among its metrics, so the time of a unit is not that of one metric:
    all are scaled by measured over estimated seconds of the units together.

    Args:
        marks: paths of done marks, one a metric and unit.
        estimates: seconds an image by metric, all above 0.
    """
    units: dict[str, tuple[float, dict[str, int]]] = {}
    for path in marks:
        mark = json.loads(store.get(path))
        if "wall_seconds" in mark:
            units[mark["unit"]] = (mark["wall_seconds"], mark["asked"])
    known = [(s, a) for s, a in units.values() if set(a) <= set(estimates) and sum(a.values())]
    expected = sum(estimates[name] * n for _, asked in known for name, n in asked.items())
    if not expected:
        return Rate(dict(estimates), 0)
    share = sum(seconds for seconds, _ in known) / expected
    images = sum(max(asked.values()) for _, asked in known)
    return Rate({name: each * share for name, each in estimates.items()}, images)
