import polars as pl
import pytest

from dataproc_assets.transforms.estimate import duration, estimate_pass, over_budget

ROWS = pl.DataFrame({"metrics": [["clip"]] * 1000})


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (99.4, "99 s"),
        (100.0, "2 min"),
        (5999.0, "100 min"),
        (6000.0, "1.7 h"),
        (360000.0, "100.0 h"),
    ],
)
def test_a_time_is_said_as_people_say_it(seconds, said):
    assert duration(seconds) == said


def test_an_estimate_says_what_it_counts_with():
    found = estimate_pass([ROWS], {"clip": 14.0625}, 2, 3.0, 640)
    assert str(found) == (
        "1000 images, about 2.0 h on 2 workers, cost about 11.72 (rate measured over 640 images)"
    )
    free = estimate_pass([ROWS], {"clip": 0.125}, 1, 0.0)
    assert str(free) == "1000 images, about 2 min on 1 workers (rate by the YAML)"


@pytest.mark.parametrize(
    ("hours", "cost", "over"),
    [
        (None, None, ""),
        (1.953125, 11.71875, ""),
        (1.95, 12.0, "about 1.95 h is over the budget's 1.95 h"),
        (2.0, 11.71, "a cost of about 11.72 is over the budget's 11.71"),
    ],
)
def test_a_limit_is_met_up_to_itself(hours, cost, over):
    found = estimate_pass([ROWS], {"clip": 14.0625}, 2, 3.0)
    assert over_budget(found, hours, cost) == over
