"""The demo's gallery: real words by the real text tower, and no picture of what is held back."""

import io
from collections.abc import Iterator

import polars as pl
import pytest
from PIL import Image

from dataproc_assets.jobs.decode import decode
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets_tests.demo import Demo
from dataproc_assets_tests.gallery.test_browser import grey, serving, walk
from dataproc_assets_tests.gallery.test_site import Read, ask, get
from dataproc_assets_tests.gallery.test_site import the_site as answers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def url(demo: Demo) -> Iterator[str]:
    with serving(demo.lake()) as address:
        yield address


def tagged(site, tag: str) -> set[str]:
    return {*ask(site, f"tag:{tag}").keys}


@pytest.mark.parametrize(
    ("words", "tags", "least"),
    [
        ("a girl with long hair", ["1girl"], 5),
        ("flowers", ["flower", "plant"], 4),
        ("a house", ["house", "building"], 4),
        ("fruit", ["fruit", "food"], 4),
    ],
)
def test_words_bring_pictures_of_what_they_say(demo, words, tags, least):
    """Of the first eight, so many have a tag for it; of all pictures it is far fewer."""
    site = answers(demo.lake())
    wanted = set().union(*(tagged(site, tag) for tag in tags))
    first = ask(site, words).keys[:8]
    assert len(wanted & {*first}) >= least, first


def test_every_image_of_the_crawl_is_explained(demo):
    lake = demo.lake()
    site = answers(lake)
    held = {*read_ledger(lake.store, "quarantine")["image_key"]}
    for source in sorted(lake.project.sources):
        for key in lake.read("todo", source).collect()["image_key"].sort().sample(8, seed=1):
            read = Read(get(site, f"/explain?of={key}"))
            assert read.status == 200 and key in read.text
            assert not (read.pictures and key in held), key


def test_no_picture_of_a_held_image_is_in_any_file_or_answer(demo, url):
    lake = demo.lake()
    limits = lake.project.profile.decode
    held = read_ledger(lake.store, "quarantine")["image_key"].unique()
    crawl = lake.read_all("inventory").filter(pl.col("image_key").is_in(held.implode())).collect()
    assert crawl.height >= 3
    pages = [f"search?q=-source:none&page={page}" for page in range(1, 7)]
    starts = ["index.html", *(f"explain?of={key}" for key in crawl["image_key"])]
    walked = walk(url, [*pages, *starts], most=900)
    assert not {address: told[0] for address, told in walked.items() if told[0] != 200}
    pictures = {a: body for a, (_, kind, body) in walked.items() if kind == "image/webp"}
    stored = lake.store.list("gallery")["path"]
    pictures |= {path: lake.store.get(path) for path in stored if path.endswith(".webp")}
    shown = {place: grey(Image.open(io.BytesIO(body))) for place, body in pictures.items()}
    for row in crawl.iter_rows(named=True):
        data = read_address(row["uri"], row["offset"], row["length"])
        original = grey(decode(data, limits).image)
        likest = max(
            (float((original * picture).mean()), place) for place, picture in shown.items()
        )
        assert likest[0] < 0.98, (row["image_key"], likest)
        assert not [place for place, body in pictures.items() if data in body]
