import json

import pytest

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.rate import Rate, measured_rate

ESTIMATES = {"clip": 0.2, "pixels": 0.1}


def put(store: ObjectStore, path: str, unit: str, wall: float | None, **asked: int) -> str:
    mark = {"unit": unit, "asked": asked}
    store.put(path, json.dumps(mark if wall is None else {**mark, "wall_seconds": wall}).encode())
    return path


def test_the_estimates_are_scaled_to_what_units_took(store):
    marks = [
        put(store, "clip/a.json", "a", 6.0, clip=10, pixels=10),
        put(store, "pixels/a.json", "a", 6.0, clip=10, pixels=10),  # the same unit
        put(store, "clip/b.json", "b", 2.0, clip=5),
    ]
    rate = measured_rate(store, marks, ESTIMATES)
    assert rate.images == 15
    assert rate.seconds == pytest.approx({"clip": 0.4, "pixels": 0.2})
    asked = 10 * (rate.seconds["clip"] + rate.seconds["pixels"]) + 5 * rate.seconds["clip"]
    assert asked == pytest.approx(8.0)


def test_without_a_measurement_the_estimates_stand(store):
    marks = [
        put(store, "old.json", "a", None, clip=10),
        put(store, "empty.json", "b", 1.0),
        put(store, "other.json", "c", 1.0, gone=3),
    ]
    assert measured_rate(store, marks, ESTIMATES) == Rate(ESTIMATES, 0)
    assert measured_rate(store, [], ESTIMATES) == Rate(ESTIMATES, 0)
