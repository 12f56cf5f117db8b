from dataproc_assets.release.bucket_table import bucket_table


def test_buckets_come_from_narrow_to_wide_with_bars_in_proportion_and_small_ones_marked():
    counts = {
        "buckets": {"128x128": 100, "160x96": 1, "64x256": 25, "96x160": 50},
        "small_buckets": ["160x96"],
    }
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in bucket_table(counts).split("\n")
    ]
    assert rows[2:] == [
        ["64x256", "25", "█" * 6, ""],
        ["96x160", "50", "█" * 12, ""],
        ["128x128", "100", "█" * 24, ""],
        ["160x96", "1", "█", "small"],
    ]


def test_no_image_no_row():
    assert len(bucket_table({"buckets": {}, "small_buckets": []}).split("\n")) == 2
