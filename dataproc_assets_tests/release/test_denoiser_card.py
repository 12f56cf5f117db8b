import polars as pl

from dataproc_assets.release.denoiser_card import denoiser_card
from dataproc_assets.release.proof import proof
from dataproc_assets_tests.denoisers import small_config

LOSSES = pl.DataFrame(
    {
        "family": ["a", "b", "c", "c"],
        "fold": [0, 0, 1, 2],
        "none": [0.91, 0.92, 0.93, 0.94],
        "true": [0.81, 0.83, 0.85, 0.87],
        "shuffled": [[0.9, 0.92], [0.91, 0.93], [0.92, 0.94], [0.95, 0.97]],
    }
)


def test_the_card_tells_what_was_measured_and_of_what():
    counts = {**proof(LOSSES), "seen": 18, "unseen": 6}
    card = denoiser_card("small", small_config(), counts)
    lines = card.splitlines()
    assert lines[0] == "# Reference denoiser of small"
    assert "| true prompts | 0.84000 | | |" in lines
    gain = counts["over_shuffled"]
    assert (
        f"| shuffled prompts, mean of 2 | 0.93000 | 0.09000 ± {gain['standard_error']:.5f} "
        f"| {gain['z']:.1f} |"
    ) in lines
    gain = counts["over_none"]
    assert (
        f"| no prompt | 0.92500 | 0.08500 ± {gain['standard_error']:.5f} | {gain['z']:.1f} |"
    ) in lines
    assert "| 1 | 1 | 0.93000 | 0.85000 | 0.93000 |" in lines
    text = " ".join(card.split())
    assert "18 images; the 6 of the split `validation` were never seen" in text
    assert "4 images of 3 families, at 4 noises and times each" in text
    assert "Among 3 trainings, the true one included, a share of 0.333" in text
    assert "On 100 % of the images" in text
    assert "6 steps of 4" in text and "patches of 2 x 2" in text
