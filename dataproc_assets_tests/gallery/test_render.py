"""What a browser would make of the written pages."""

import re
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import urldefrag

import pytest

from dataproc_assets.gallery import build_gallery
from dataproc_assets.gallery.render import NAVIGATION, POLICY, STYLE
from dataproc_assets_tests.gallery.conftest import HOSTILE, files

VOID = {"meta", "img", "br", "link", "hr", "input", "rect"}


class Outline(HTMLParser):
    """Tags, ids, links and texts of a page; fails where tags are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.labels: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert len(values) == len(attrs), f"an attribute twice in {tag}"
        self.tags.add(tag)
        self.attributes |= set(values)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        self.labels += (values.get("aria-labelledby") or "").split()
        if tag == "img":
            self.images.append(values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def written(store, world, config) -> dict[str, bytes]:
    capped = config.model_copy(update={"page_size": 2})
    build_gallery(store, world.tables, world.read, capped)
    return files(store)


@pytest.fixture
def pages(written) -> dict[str, Outline]:
    """The outlines of all pages; more than one of images."""
    found = {path: Outline(data.decode()) for path, data in written.items() if "html" in path}
    assert {name for name, _ in NAVIGATION} | {"images-2.html", "explain.html"} == set(found)
    return found


def test_every_link_and_label_leads_somewhere(pages, written):
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path
        assert set(page.labels) <= set(page.ids), path
        for link in page.links:
            file, anchor = urldefrag(link.partition("?")[0])
            assert (file or path) in pages, f"{path}: {link}"
            assert not anchor or anchor in pages[file or path].ids, f"{path}: {link}"
        for image in page.images:
            source = str(image["src"])
            assert source in written, f"{path}: {source}"
            assert PurePosixPath(source).parts[0] in {"thumbs", "previews", "drawn"}


def test_every_picture_of_the_gallery_is_linked(pages, written):
    linked = {str(image["src"]) for page in pages.values() for image in page.images}
    assert {path for path in written if path.endswith(".webp")} == linked


def test_every_page_names_all_pages_and_has_a_skip_link(pages):
    for path, page in pages.items():
        assert [name for _, name in NAVIGATION] == [
            text for text in page.text if text in dict(map(reversed, NAVIGATION))
        ][: len(NAVIGATION)], path
        assert page.links[0] == "#content"
        assert "content" in page.ids


def test_every_picture_has_a_text(pages):
    texts = [image["alt"] for page in pages.values() for image in page.images]
    assert texts
    assert all(texts)


def test_hostile_text_is_text(pages, written):
    for path, page in pages.items():
        assert "script" not in page.tags, path
        assert not [name for name in page.attributes if name.startswith("on")], path
        assert b"<script" not in written[path]
        assert b"\x07" not in written[path]
    shown = HOSTILE.replace("\x07", "")
    assert shown in "".join(pages["images.html"].text)  # as a title, a prompt and a caption
    assert f"odd {shown}" in "".join(pages["drops.html"].text)
    assert shown in [image["alt"] for image in pages["images.html"].images]
    assert "Demo <b>release</b>" in "".join(pages["release.html"].text)


def test_nothing_is_loaded_from_elsewhere_and_no_style_stands_outside_the_policy(pages, written):
    for path, page in pages.items():
        text = written[path].decode()
        assert text.count("<style>") == 1
        assert f"<style>{STYLE}</style>" in text
        assert POLICY.replace("'", "&#39;") in text
        assert "style" not in page.attributes
        assert not re.search(r"(?:src|href)=\"(?:[a-z]+:|//)", text), path


def test_an_image_that_any_source_rates_higher_is_veiled(written):
    # danbooru/plain0 says general; the merged image says questionable
    clusters = written["clusters.html"].decode()
    assert 'aria-label="Blurred, rated questionable: danbooru/plain0"' in clusters
    assert 'aria-label="Blurred, rated questionable: danbooru/twin"' in clusters
    assert "Blurred, rated general" not in clusters


def test_releases_show_counts_but_no_artist(pages):
    text = "".join(pages["release.html"].text)
    assert "1.2 MB" in text
    assert "rating in general" in text
    assert "PSNR 31.2 dB" in " ".join(text.split())
    assert "Secret Person" not in text
