from dataclasses import replace

import polars as pl

from dataproc_assets.gallery.tables import canonical
from dataproc_assets.gallery.withhold import find_withheld, without


def quarantine(tables, *keys: str):
    rules = pl.DataFrame({"image_key": keys, "rule": ["never_tag"] * len(keys)})
    return canonical(replace(tables, quarantined=rules))


def test_each_way_to_refuse_a_picture_is_seen(world):
    withheld = find_withheld(canonical(world.tables))
    assert withheld.keys == {
        "danbooru/quarantined",
        "danbooru/quarantinedcopy",  # the same bytes
        "pixiv/optedout",  # not its first reason
        "twitter/takendown",
        "pixiv/flagged",  # by safety alone
        "pixiv/unjudged",  # safety has no row
        "pixiv/intake",  # taken down at intake
    }
    assert withheld.sha256 == {world.digests[key] for key in withheld.keys}


def test_an_opt_out_of_the_image_withholds_every_member(world):
    images = world.tables.images.with_columns(opt_out=pl.col("representative") == "danbooru/plain0")
    withheld = find_withheld(canonical(replace(world.tables, images=images)))
    assert {"danbooru/plain0", "danbooru/twin"} <= withheld.keys


def test_a_copy_of_a_copy_is_withheld(world):
    """danbooru/quarantinedcopy has the bytes of one and a cluster with the other."""
    members = pl.DataFrame(
        {
            "image_key": ["danbooru/quarantinedcopy", "pixiv/plain5"],
            "source": ["danbooru", "pixiv"],
            "component": ["danbooru/quarantinedcopy"] * 2,
            "representative": ["pixiv/plain5"] * 2,
            "role": ["duplicate", "representative"],
        }
    )
    tables = replace(world.tables, members=pl.concat([world.tables.members, members]))
    withheld = find_withheld(quarantine(tables, "danbooru/quarantined"))
    assert "pixiv/plain5" in withheld.keys
    assert world.digests["pixiv/plain5"] in withheld.sha256


def test_a_quarantined_key_without_a_row_is_withheld_too(world):
    assert "gelbooru/gone" in find_withheld(quarantine(world.tables, "gelbooru/gone")).keys


def test_no_table_keeps_a_row_of_a_withheld_image(world):
    tables = quarantine(world.tables, "danbooru/twin")
    shown = without(tables, find_withheld(tables))
    assert "danbooru/plain0" not in set(shown.augmented["image_key"])
    assert not set(shown.edges["a"]) & {"danbooru/plain0", "danbooru/twin"}
    assert "danbooru/twin" not in set(shown.members["image_key"])
    assert "danbooru/plain0" not in set(shown.images["representative"])
    assert f"{3:032d}" not in set(shown.sanitized["noob"]["image_id"])
    assert f"{3:032d}" in set(tables.sanitized["noob"]["image_id"])


def test_a_preview_of_an_image_that_is_no_longer_known_is_not_shown(world):
    images = world.tables.images.filter(pl.col("representative") != "pixiv/plain0")
    tables = canonical(replace(world.tables, images=images))
    shown = without(tables, find_withheld(tables))
    assert shown.previews.height == 0
    assert set(shown.drawn["image_id"]) == {f"{1:032d}"}
