from pathlib import Path

import pytest

from dataproc_assets_tests.config.conf import copy_conf


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the shipped conf/, the test's own."""
    return copy_conf(tmp_path)
