import re

import polars as pl

from dataproc_assets.commands.gallery import the_site
from dataproc_assets.defs.gallery import gallery_tables
from dataproc_assets.storage.ledger import append_ledger
from dataproc_assets_tests.defs.posts import NEVER, OPT_OUT
from dataproc_assets_tests.defs.results import data_version, metadata
from dataproc_assets_tests.defs.world import World


def test_the_pages_are_drawn_and_counted(world: World):
    result = world.make("gallery")
    assert result.success
    told = metadata(result, "gallery")
    pages = [path for path in world.lake.store.list("gallery")["path"] if path.endswith(".html")]
    assert told["pages"] == len(pages) > 0
    assert told["withheld"] >= 2  # the quarantined and the opted out
    assert told["missing"] == {}
    assert data_version(result, "gallery") == world.lake.state("gallery", None)


def test_a_quarantined_key_is_withheld_for_good(world: World):
    held = gallery_tables(world.lake).quarantined
    assert set(held["image_key"]) == {NEVER}
    append_ledger(
        world.lake.store,
        "quarantine",
        pl.DataFrame({"image_key": ["pixiv/101_p0"], "rule": ["never"]}),
    )
    held = gallery_tables(world.lake).quarantined
    assert {NEVER, "pixiv/101_p0"} <= set(held["image_key"])


def test_the_tables_hold_all_that_is_known(finished: World):
    tables = gallery_tables(finished.lake)
    assert tables.augmented.height == 11 and tables.addresses.height == 10
    assert [release["name"] for release in tables.releases] == ["demo"]
    assert list(tables.sanitized) == ["animagine4"]
    flags = dict(tables.flags.select("image_key", "flags").iter_rows())
    assert "opt_out" in flags[OPT_OUT] and "never_tag" in flags[NEVER]


def test_before_any_release_the_gallery_is_drawn_without_one(world: World):
    for path in world.lake.store.list("releases")["path"]:
        world.lake.store.delete(path)
    assert gallery_tables(world.lake).releases == []
    assert world.make("gallery").success


def links(value: str) -> list[str]:
    """The targets of a text's Markdown links, or the text itself, below where they are served."""
    return re.findall(r"\(http://127\.0\.0\.1:3001(/[^)]*)\)", value) or [
        value.removeprefix("http://127.0.0.1:3001")
    ]


def test_the_metadata_of_assets_leads_to_pages_that_the_server_answers(world: World):
    site, seen = the_site(world.lake), {}
    for asset, partition in (("images", None), ("sanitized", "animagine4"), ("gallery", None)):
        seen[asset] = metadata(world.make(asset, partition=partition), asset)
    explained = [link for name in ("images", "sanitized") for link in links(seen[name]["explain"])]
    searched = [link for told in seen.values() for link in links(told["search"])]
    assert len(explained) >= 6 and len(searched) == 3
    for link in explained + searched:
        route = site.route(link)
        assert route is not None and route().status == 200, link
    assert "never_tag" in seen["sanitized"]["explain"]
    assert links(seen["gallery"]["pages_at"]) == ["/index.html"]


def test_a_release_leads_to_its_page(world: World):
    told = metadata(world.make("release", partition="demo"), "release")
    assert told["gallery"] == "http://127.0.0.1:3001/release.html"
    assert links(told["search"]) == ["/search?q=is%3Akept"]
