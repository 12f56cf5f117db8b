"""The served gallery as a browser shows it."""

import io
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from urllib.parse import quote, urldefrag, urljoin

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dataproc_assets.commands.gallery import the_site
from dataproc_assets.gallery.pictures import picture_path
from dataproc_assets.gallery.render import NAVIGATION
from dataproc_assets.gallery.serve import gallery_server
from dataproc_assets.storage.lake import Lake
from dataproc_assets_tests.chromium import Browser, browser, program
from dataproc_assets_tests.defs.posts import KEPT, NEVER, OPT_OUT
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.servers import running

FOCUSED = "document.activeElement.{}"


def serving(lake: Lake) -> AbstractContextManager[str]:
    """`dataproc gallery` of a lake; its address."""
    return running(gallery_server(lake.store, "127.0.0.1", 0, the_site(lake)))


@pytest.fixture(scope="module")
def url(finished: World) -> Iterator[str]:
    with serving(finished.lake) as address:
        yield address


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if program() is None:
        pytest.skip("there is no Chromium here")
    with browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


class Targets(HTMLParser):
    """The links, pictures and forms' actions of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value or "" for name, value in attrs if name in ("href", "src", "action")}


def fetch(address: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.status, answer.headers["Content-Type"] or "", answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"] or "", error.read()


def walk(url: str, starts: list[str], most: int = 400) -> dict[str, tuple[int, str, bytes]]:
    """All that links lead to from some pages, below the same address."""
    found: dict[str, tuple[int, str, bytes]] = {}
    todo = [f"{url}/{start}" for start in starts]
    while todo and len(found) < most:
        address = todo.pop()
        if address in found:
            continue
        found[address] = fetch(address)
        _, kind, body = found[address]
        if kind.startswith("text/html"):
            targets = Targets(body.decode()).found
            links = {urldefrag(urljoin(address, target)).url for target in targets}
            assert all(link.startswith(url) for link in links), address
            todo += sorted(links - set(found))
    return found


def addresses(url: str) -> list[str]:
    """A page of each kind, static and answered."""
    asked = ["search", "search?q=tag%3Asolo", "search?q=a+picture", "search?q=zzz/1"]
    pages = [name for name, _ in NAVIGATION]
    return [f"{url}/{page}" for page in (*pages, *asked, f"explain?of={KEPT[1]}")]


def test_every_link_answers(url, finished):
    walked = walk(url, ["index.html", "search", "search?q=is:kept", f"explain?of={NEVER}"])
    wrong = {address: told[0] for address, told in walked.items() if told[0] != 200}
    assert not wrong
    kinds = {re.sub(r"\?.*", "", address.removeprefix(f"{url}/")) for address in walked}
    assert {name for name, _ in NAVIGATION} | {"explain.html", "search"} <= kinds
    assert sum("explain.html?of=" in address for address in walked) >= 8


def grey(image: Image.Image) -> np.ndarray:
    """16 x 16 pixels, of unit contrast: what a picture shows, whatever its size and encoding."""
    small = np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BOX), np.float64)
    return (small - small.mean()) / (small.std() or 1)


def test_no_picture_of_a_held_image_is_in_any_file_or_answer(url, finished):
    held = {}
    for key in (NEVER, OPT_OUT):
        rows = finished.lake.read("augmented", "danbooru").filter(pl.col("image_key") == key)
        held[key] = rows.collect()["danbooru__pixels_sha256"][0]
    crawl = finished.lake.read("inventory", "danbooru").collect()
    originals = {key: original(crawl, key) for key in held}
    walked = walk(url, ["index.html", "search", "search?q=-source:none"])
    pictures = {a: body for a, (_, kind, body) in walked.items() if kind == "image/webp"}
    stored = finished.lake.store.list("gallery")["path"]
    pictures |= {p: finished.lake.store.get(p) for p in stored if p.endswith(".webp")}
    assert len(pictures) > 10
    for key, digest in held.items():
        data, whole = originals[key]
        assert fetch(f"{url}/{picture_path('thumbs', digest)}")[0] == 404
        for place, picture in pictures.items():
            assert digest not in place and data not in picture
            likeness = (grey(Image.open(io.BytesIO(picture))) * grey(whole)).mean()
            assert likeness < 0.98, (key, place)
    # the comparison would see it: a picture that is shown is found by its original
    data, whole = originals_of(finished, KEPT[2])
    likest = max((grey(Image.open(io.BytesIO(p))) * grey(whole)).mean() for p in pictures.values())
    assert likest > 0.99


def originals_of(world: World, key: str) -> tuple[bytes, Image.Image]:
    return original(world.lake.read("inventory", key.partition("/")[0]).collect(), key)


def original(crawl: pl.DataFrame, key: str) -> tuple[bytes, Image.Image]:
    from dataproc_assets.storage.address import read_address

    row = crawl.row(by_predicate=pl.col("image_key") == key, named=True)
    data = read_address(row["uri"], row["offset"], row["length"])
    return data, Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_drawn_in_both_schemes_without_an_error(chromium, url, scheme):
    chromium.scheme(scheme)
    chromium.errors.clear()
    for address in addresses(url):
        chromium.open(address)
        shot = chromium.screenshot()
        corner = sum(shot.getpixel((0, shot.height - 1))) / 3
        assert corner > 230 if scheme == "light" else corner < 60, address
        assert len(shot.getcolors(shot.width * shot.height)) > 50, address  # it is not blank
        broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
        assert chromium.run(broken) == 0, address
    assert chromium.errors == []


def test_keys_alone_reach_the_search_and_its_answer(chromium, url):
    chromium.errors.clear()
    chromium.open(f"{url}/search")
    chromium.press("Tab")
    assert chromium.run(FOCUSED.format("className")) == "skip"
    assert chromium.run("getComputedStyle(document.activeElement).left") == "16px"  # it is seen
    chromium.press("/", "/")
    assert chromium.run(FOCUSED.format("id")) == "query"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert chromium.run(outline) == "solid"
    for letter in "tag:a/b":  # a slash is a letter where one types
        chromium.press(letter, letter)
    assert chromium.run(FOCUSED.format("value")) == "tag:a/b"
    chromium.run("document.activeElement.value = 'tag:hatsune_miku is:kept'")
    chromium.press("Enter", "\r")
    chromium.loaded()
    assert chromium.run("location.pathname + location.search").startswith("/search?q=tag%3Ahatsune")
    keys = "[...document.querySelectorAll('a.id')].map(a => a.textContent).join()"
    assert "danbooru/2" in chromium.run(keys)
    assert chromium.errors == []


def test_every_control_is_reached_by_tab(chromium, url):
    chromium.open(f"{url}/search?q={quote('tag:solo is:kept')}")
    controls = "document.querySelectorAll('a[href], button, input, [tabindex=\"0\"]').length"
    count, seen = chromium.run(controls), set()
    place = "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
    for _ in range(count + 2):
        chromium.press("Tab")
        seen.add(chromium.run(place))
    assert len(seen) >= count


def test_pages_opened_as_files_need_no_server(chromium, finished):
    """The links to what only the server can answer lead to a page that says so."""
    chromium.errors.clear()
    folder = f"file://{finished.lake.store.uri('gallery')}"
    chromium.open(f"{folder}/images.html")
    assert chromium.run("document.images.length") > 0
    chromium.open(chromium.run("document.querySelector('a.id').href"))
    assert "dataproc gallery" in chromium.run("document.body.innerText")
    chromium.open(f"{folder}/search.html")
    assert "dataproc gallery" in chromium.run("document.body.innerText")
    assert chromium.errors == []
