"""Fixtures that several packages of tests share."""

import pytest

from dataproc_assets_tests.demo import Demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The finished demo: made once, to be read only."""
    made = Demo.create(tmp_path_factory.mktemp("demo") / "home")
    made.run()
    return made
