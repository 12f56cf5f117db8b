import warnings

import numpy as np
import pytest

from dataproc_assets.models.outputs import rows_by, sigmoid, softmax


def test_a_row_of_products_is_the_same_bits_in_any_company():
    draw = np.random.default_rng(0)
    matrix = draw.standard_normal((300, 256)).astype(np.float32)
    rows = draw.standard_normal((65, 256)).astype(np.float16)
    alone = np.concatenate([rows_by(matrix, row[None]) for row in rows])
    assert (rows_by(matrix, rows) == alone).all()
    assert (rows.astype(np.float32) @ matrix.T != alone).any()  # which a matrix product is not
    assert alone == pytest.approx(rows.astype(np.float64) @ matrix.T, abs=1e-4)


def test_probabilities_of_extreme_logits_are_numbers():
    logits = np.array([[-2000.0, 0.0, 2000.0]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sigmoid(logits).tolist() == [[0.0, 0.5, 1.0]]
        assert softmax(logits).tolist() == [[0.0, 0.0, 1.0]]
