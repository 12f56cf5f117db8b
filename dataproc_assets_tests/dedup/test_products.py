import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.dedup.products import NumpyProducts


@given(rows=st.integers(1, 8), columns=st.integers(1, 8), seed=st.integers(0, 99))
def test_what_reaches_the_bound_is_found_in_a_block_of_any_shape(
    rows: int, columns: int, seed: int
):
    random = np.random.default_rng(seed)
    left, right = (random.integers(-9, 9, (n, 3)).astype(np.float32) for n in (rows, columns))
    products = NumpyProducts(8)
    bound = np.float32(random.integers(-50, 50))
    i, j = products.reaching(products.place(left), products.place(right), bound)
    expected = [(a, b) for a in range(rows) for b in range(columns) if left[a] @ right[b] >= bound]
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected
