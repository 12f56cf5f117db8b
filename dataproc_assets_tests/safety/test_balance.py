import polars as pl

from dataproc_assets.config.safety import BalanceConfig
from dataproc_assets.safety.balance import count_values, largest_shares
from dataproc_assets_tests.transforms.frames import tag_list

SHARES = {"rating": 0.9, "source": 0.5, "artist": 0.5, "character": 0.5, "poor_content": 1.0}
CONFIG = BalanceConfig.model_validate({"images_min": 1, "shown": 1, "share_max": SHARES})
IMAGES = pl.DataFrame(
    {
        "representative": ["pixiv/1_p0", "pixiv/2_p0", "pixiv/3_p0", "danbooru/4"],
        "rating": ["general", None, "explicit", "general"],
        "artist": ["ada", "ada", None, "bo"],
        "tags": [
            tag_list("miku::character", "smile"),
            tag_list("miku::character", "rin::character"),
            [],
            tag_list("rin::character", "rin::character"),
        ],
    }
)


def test_each_value_is_counted_once_an_image():
    counts = {(f, v): n for f, v, n in count_values(IMAGES).iter_rows()}
    assert counts == {
        ("rating", "general"): 2,
        ("rating", "explicit"): 1,
        ("rating", "unknown"): 1,
        ("source", "pixiv"): 3,
        ("source", "danbooru"): 1,
        ("artist", "ada"): 2,
        ("artist", "bo"): 1,
        ("character", "miku"): 2,
        ("character", "rin"): 2,
    }


def test_the_largest_shares_and_all_that_are_over_are_shown():
    found = largest_shares(count_values(IMAGES), 4, CONFIG)
    assert found.rows() == [
        ("rating", "general", 2, 0.5, False),
        ("source", "pixiv", 3, 0.75, True),
        ("artist", "ada", 2, 0.5, False),  # at the maximum, not over it
        ("character", "miku", 2, 0.5, False),
    ]
    narrow = CONFIG.model_copy(
        update={"share_max": CONFIG.share_max.model_copy(update={"character": 0.49})}
    )
    over = largest_shares(count_values(IMAGES), 4, narrow).filter("over")
    assert over["value"].to_list() == ["pixiv", "miku", "rin"]


def test_the_counts_of_parts_add_up():
    parts = pl.concat([count_values(IMAGES[:1]), count_values(IMAGES[1:])])
    whole = largest_shares(count_values(IMAGES), 4, CONFIG)
    assert largest_shares(parts, 4, CONFIG).equals(whole)


def test_no_image_has_no_share():
    assert largest_shares(count_values(IMAGES.clear()), 0, CONFIG).is_empty()
