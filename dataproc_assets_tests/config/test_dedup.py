import pytest
from pydantic import ValidationError

from dataproc_assets_tests.dedup.build import DETAIL, make_config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant_distance": 7}, "variant_distance 7 is below phash_distance 8"),
        ({"link_cosine_min": 0.98}, "link_cosine_min 0.98 is above cosine 0.97"),
        ({"detail": DETAIL | {"ceiling": 4}}, "ceiling 4 is below floor 5"),
        ({"detail": DETAIL | {"floor": 0}}, "greater than or equal to 1"),
        ({"phash_distance": 65}, "less than or equal to 64"),
        ({"order": [{"column": "trust", "direction": "ascending"}] * 2}, "names a column twice"),
        ({"cosinus": 0.9}, "Extra inputs are not permitted"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        make_config(**changes)
