import pytest

from dataproc_assets.storage import layout


def test_no_two_things_lie_at_one_place():
    paths = [
        layout.stage_path("merged", "pixiv"),
        layout.stage_path("images", None),
        layout.todo_path("pixiv"),
        layout.shards_path("pixiv"),
        layout.part_path("clip", "f" * 16, "pixiv", "u"),
        layout.done_path(layout.part_path("clip", "f" * 16, "pixiv", "u")),
        layout.latent_part_path("f" * 16, "u"),
        layout.release_path("demo"),
        layout.latents_path("demo"),
        layout.gallery_path(),
        *(layout.ledger_path(ledger) for ledger in layout.LEDGERS),
    ]
    assert len(set(paths)) == len(paths)
    assert all(path == path.strip("/") and ".." not in path for path in paths)


def test_a_table_is_named_by_its_partition_and_stage():
    assert layout.stage_path("merged", "pixiv") == "stages/merged/pixiv_merged.parquet"
    assert layout.stage_path("images", None) == "stages/images/images.parquet"


def test_parts_lie_in_the_folder_of_their_fingerprint_and_source():
    part = layout.part_path("clip", "abc", "pixiv", "u1")
    assert part == "units/metrics/clip/abc/pixiv/u1.clip.parquet"
    assert part.startswith(layout.parts_path("clip", "abc", "pixiv") + "/")
    assert layout.done_path(part) == "units/metrics/clip/abc/pixiv/u1.clip.json"


def test_there_is_no_other_ledger():
    with pytest.raises(ValueError, match="no ledger named 'x'; there are identity, quarantine"):
        layout.ledger_path("x")
