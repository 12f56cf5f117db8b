from dataproc_assets.config.project import load_project
from dataproc_assets.storage.stages import partitions

PROJECT = load_project(profile="local")


def test_partitions_are_sorted():
    assert partitions(PROJECT, "source") == sorted(PROJECT.sources)
    assert partitions(PROJECT, "recipe") == sorted(PROJECT.recipes)
    assert partitions(PROJECT, None) == [None]
