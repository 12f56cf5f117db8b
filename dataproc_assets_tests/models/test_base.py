import numpy as np
import pytest

from dataproc_assets.models.base import in_fixed_batches


@pytest.mark.parametrize("rows", [1, 3, 4, 7, 8])
def test_every_block_has_one_shape_and_no_row_is_lost_or_moved(rows):
    shapes = []

    def double(block: np.ndarray) -> np.ndarray:
        shapes.append(block.shape)
        return block * 2

    batch = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    assert (in_fixed_batches(double, batch, 4) == batch * 2).all()
    assert set(shapes) == {(4, 2)}
