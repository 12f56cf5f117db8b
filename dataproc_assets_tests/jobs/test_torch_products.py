import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.dedup.pairs import Pairs, Search, choose_basis
from dataproc_assets.dedup.products import NumpyProducts, Products
from dataproc_assets.dedup.quantise import integer_threshold, quantise
from dataproc_assets.jobs.torch_products import TorchProducts
from dataproc_assets_tests.dedup.build import planted

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def pairs(vectors: np.ndarray, products: Products, prefix_dims: int) -> Pairs:
    basis = choose_basis([vectors], prefix_dims)
    search = Search(integer_threshold(0.97), basis, products)
    side, head = search.side(vectors), search.side(vectors[:10])
    assert len(search.compare(head, side).i) >= len(head.rows)
    return search.compare(side, side)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), block_rows=st.integers(1, 50), prefix=st.integers(0, 16))
def test_a_device_finds_what_the_processor_finds(seed: int, block_rows: int, prefix: int):
    vectors = quantise(planted(40, 16, seed))
    expected = pairs(vectors, NumpyProducts(16), 4)
    for device in DEVICES:
        found = pairs(vectors, TorchProducts(block_rows, device), prefix)
        for mine, theirs in zip(found[:3], expected[:3], strict=True):
            assert np.array_equal(mine, theirs)
