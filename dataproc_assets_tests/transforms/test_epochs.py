from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.transforms.epochs import Rest, draw_prompts, plan_epoch

SAMPLES = pl.DataFrame(
    {
        "image_id": [f"{number:032x}" for number in range(7)],
        "bucket_width": [64, 64, 64, 64, 64, 96, 96],
        "bucket_height": 64,
        "prompts": [["a", "b", "c"]] * 7,
    }
)


def plans(rest: Rest, batch_size: int = 2, world: int = 2, epoch: int = 0) -> list[list[list[int]]]:
    """The batches of each rank."""
    return [
        [
            rows.tolist()
            for rows in plan_epoch(
                SAMPLES,
                batch_size=batch_size,
                rest=rest,
                seed=0,
                epoch=epoch,
                rank=rank,
                world=world,
            )
        ]
        for rank in range(world)
    ]


@given(st.integers(1, 8), st.integers(1, 4), st.sampled_from(["short", "repeat", "drop"]))
def test_a_batch_is_of_one_bucket_and_ranks_share_them_out(batch_size, world, rest):
    ranks = plans(rest, batch_size, world)
    seen = Counter(row for batches in ranks for batch in batches for row in batch)
    assert all(SAMPLES[b]["bucket_width"].n_unique() == 1 for batches in ranks for b in batches)
    if rest == "short":
        assert seen == Counter(range(7))
        return
    assert len({len(batches) for batches in ranks}) == 1
    assert {len(batch) for batches in ranks for batch in batches} <= {batch_size}
    assert set(seen) == set(range(7)) if rest == "repeat" else set(seen.values()) <= {1}


def test_another_epoch_has_another_order_and_other_prompts():
    assert plans("short") == plans("short") != plans("short", epoch=1)
    one, other = (draw_prompts(SAMPLES, seed=0, epoch=epoch)["prompt"] for epoch in (0, 1))
    assert {*one, *other} <= {"a", "b", "c"} and one.to_list() != other.to_list()
