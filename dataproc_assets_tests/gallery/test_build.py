import json
from dataclasses import replace

import polars as pl
import pytest

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.gallery import build_gallery
from dataproc_assets.gallery.build import MANIFEST
from dataproc_assets.gallery.pictures import picture_path
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.gallery.conftest import World, files


def thumb(world: World, key: str) -> str:
    return picture_path("thumbs", world.digests[key])


def test_build_writes_pages_pictures_and_a_manifest_that_names_each_file(store, world, config):
    info = build_gallery(store, world.tables, world.read, config)
    written = files(store)
    manifest = json.loads(written.pop(MANIFEST))
    assert {path: entry["sha256"] for path, entry in manifest["files"].items()} == {
        path: bytes_digest(data) for path, data in written.items()
    }
    pictures = [path for path in written if path.startswith("thumbs/")]
    pages = {path for path in written if path.endswith(".html")}
    shown = ("index", "drops", "clusters", "pairs", "tiers", "images", "release", "samples")
    assert pages == {f"{name}.html" for name in (*shown, "search", "explain")}
    assert (info.pages, info.thumbs, info.written) == (10, len(pictures), len(pictures))
    assert thumb(world, "pixiv/plain0") in written
    assert info.missing == {}
    assert info.withheld == 7
    assert store.exists(info.path)


def test_same_tables_give_the_same_bytes_whatever_the_row_order(tmp_path, world, config):
    first, second = ObjectStore(str(tmp_path / "1")), ObjectStore(str(tmp_path / "2"))
    build_gallery(first, world.tables, world.read, config)
    tables = replace(
        world.tables,
        augmented=world.tables.augmented.sample(fraction=1, shuffle=True, seed=1),
        edges=world.tables.edges.reverse(),
        members=world.tables.members.reverse(),
        images=world.tables.images.reverse(),
        sanitized=dict(reversed(world.tables.sanitized.items())),
        addresses=world.tables.addresses.reverse(),
    )
    build_gallery(second, tables, world.read, config.model_copy(update={"threads": 1}))
    one, other = files(first), files(second)
    inputs = [json.loads(found.pop(MANIFEST))["inputs"] for found in (one, other)]
    assert [inputs[0].pop("config") != inputs[1].pop("config"), inputs[0] == inputs[1]] == [
        True
    ] * 2
    footers = {path for path in one if one[path] != other[path]}
    assert footers == {path for path in one if path.endswith(".html")}  # they name the config


def test_a_second_build_reads_no_picture_and_changes_no_byte(store, world, config):
    build_gallery(store, world.tables, world.read, config)
    before, reads = files(store), len(world.read.reads)
    info = build_gallery(store, world.tables, world.read, config)
    assert files(store) == before
    assert len(world.read.reads) == reads
    assert (info.written, info.deleted) == (0, 0)


def test_a_lost_or_shortened_thumbnail_is_made_again(store, world, config):
    build_gallery(store, world.tables, world.read, config)
    before = files(store)
    store.delete(f"gallery/{thumb(world, 'pixiv/plain0')}")
    store.put(f"gallery/{thumb(world, 'pixiv/plain2')}", b"cut")
    info = build_gallery(store, world.tables, world.read, config)
    assert info.written == 2
    assert files(store) == before


def test_other_thumbnail_settings_give_what_a_fresh_build_gives(tmp_path, store, world, config):
    small = config.model_copy(update={"thumb_side": 32})
    fresh = ObjectStore(str(tmp_path / "fresh"))
    build_gallery(fresh, world.tables, world.read, small)
    build_gallery(store, world.tables, world.read, config)
    build_gallery(store, world.tables, world.read, small)
    assert files(store) == files(fresh)


def test_files_of_an_older_build_are_deleted(store, world, config):
    build_gallery(store, world.tables, world.read, config.model_copy(update={"page_size": 2}))
    assert store.exists("gallery/images-2.html")
    build_gallery(store, world.tables, world.read, config)
    assert not store.exists("gallery/images-2.html")


def test_withheld_pictures_and_texts_are_in_no_file(store, world, config):
    info = build_gallery(store, world.tables, world.read, config)
    gone = ["danbooru/quarantined", "danbooru/quarantinedcopy", "pixiv/optedout",
            "twitter/takendown", "pixiv/flagged", "pixiv/unjudged", "pixiv/intake"]  # fmt: skip
    everything = b"\n".join([path.encode() + data for path, data in files(store).items()])
    for key in gone:
        assert world.digests[key].encode() not in everything
        assert f"title of {key}".encode() not in everything
        assert f"mem:/{key}" not in world.read.reads
    for text in (b"Secret Person", b"secret words", b"secret caption", b"quarantined words",
                 b"quarantined caption", b"preview of quarantined", b"pixiv/optedout",
                 b"twitter/takendown", b"quarantinedcopy", b"pixiv/flagged",
                 b"pixiv/unjudged"):  # fmt: skip
        assert text not in everything
    assert everything.count(b"danbooru/quarantined") == 2  # the list of ids, and its link
    assert info.withheld == 7


def test_a_later_quarantine_deletes_picture_text_and_those_of_the_whole_cluster(
    store, world, config
):
    build_gallery(store, world.tables, world.read, config)
    assert thumb(world, "danbooru/plain0") in files(store)
    added = pl.DataFrame({"image_key": ["danbooru/twin"], "rule": ["child_tags"]})
    tables = replace(world.tables, quarantined=pl.concat([world.tables.quarantined, added]))
    info = build_gallery(store, tables, world.read, config)
    left = files(store)
    assert thumb(world, "danbooru/plain0") not in left
    assert thumb(world, "danbooru/twin") not in left
    assert b"plain0" not in left["clusters.html"].replace(b"pixiv/plain0", b"")
    assert b"fourth" not in left["images.html"]
    assert info.deleted >= 2


def test_a_build_that_dies_after_a_quarantine_leaves_nothing_of_it(
    store, world, config, monkeypatch
):
    build_gallery(store, world.tables, world.read, config)
    added = pl.DataFrame({"image_key": ["pixiv/plain1"], "rule": ["never_tags"]})
    tables = replace(world.tables, quarantined=added)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dataproc_assets.gallery.build.write_thumbs", die)
    with pytest.raises(KeyboardInterrupt):
        build_gallery(store, tables, world.read, config)
    left = files(store)
    assert thumb(world, "pixiv/plain1") not in left
    assert not [path for path in left if path.endswith(".html")]


def test_a_picture_that_cannot_be_read_or_has_changed_is_named_and_left_out(store, world, config):
    world.read.files["mem:/pixiv/plain1"] = b"no picture"
    world.read.files["mem:/pixiv/plain2"] = world.read.files["mem:/pixiv/optedout"]
    info = build_gallery(store, world.tables, world.read, config)
    broken, changed = world.digests["pixiv/plain1"], world.digests["pixiv/plain2"]
    assert set(info.missing) == {broken, changed}
    assert info.missing[changed] == "changed since it was scored"
    assert thumb(world, "pixiv/plain1") not in files(store)
    assert b"could not be read" in files(store)["images.html"]


def test_samples_are_capped_and_the_count_is_told(store, world, config: GalleryConfig):
    capped = config.model_copy(update={"samples": 3, "images": 2, "page_size": 1, "pairs": 1})
    build_gallery(store, world.tables, world.read, capped)
    pages = {path: data.decode() for path, data in files(store).items() if path.endswith("html")}
    assert pages["drops.html"].count("pixiv/dropped") == 3 * 4  # alt, title, id, link
    assert "9 rows in curation" not in pages["drops.html"]  # the opted-out row counts too
    assert "10 rows in curation: pixiv 10 · 3 shown" in pages["drops.html"]
    assert {"images.html", "images-2.html"} < set(pages)
    assert "images-3.html" not in pages
    assert pages["images.html"].count('class="image"') == 1
    assert pages["pairs.html"].count('class="pair"') == 4


def test_a_gallery_of_nothing_says_so(store, world, config):
    empty = replace(
        world.tables, augmented=world.tables.augmented.clear(), flags=world.tables.flags.clear()
    )
    tables = replace(
        empty,
        **{name: getattr(empty, name).clear() for name in ("edges", "members", "images")},
        funnel=empty.funnel.clear(),
        quarantined=empty.quarantined.clear(),
        previews=empty.previews.clear(),
        sanitized={},
        releases=[],
    )
    info = build_gallery(store, tables, world.read, config)
    assert (info.thumbs, info.withheld) == (0, 0)
    assert b"Nothing was dropped" in files(store)["index.html"]
    assert b"Nothing has been released yet" in files(store)["release.html"]


def test_a_table_without_its_key_is_refused(store, world, config):
    tables = replace(world.tables, edges=pl.DataFrame({"b": ["x"]}))
    with pytest.raises(ValueError, match="'edges' has no column 'a'"):
        build_gallery(store, tables, world.read, config)
