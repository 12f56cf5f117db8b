"""Search, explain and pictures on demand, over a finished world, as `dataproc gallery` does."""

import io
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dataproc_assets.commands.gallery import the_site
from dataproc_assets.gallery.answers import NoWordsError
from dataproc_assets.gallery.pictures import picture_path
from dataproc_assets.gallery.response import HTML, Answer
from dataproc_assets.gallery.site import Means, Site
from dataproc_assets.storage.ledger import append_ledger
from dataproc_assets_tests.defs.posts import (
    AI,
    FEW_BOOKMARKS,
    KEPT,
    LOW_SCORE,
    NEVER,
    OPT_OUT,
    TWIN,
)
from dataproc_assets_tests.defs.scoring import embedding
from dataproc_assets_tests.defs.world import World

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Read(HTMLParser):
    """The texts, links, pictures and tags of a page."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.status = answer.status
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.tags: list[str] = []
        self.keys: list[str] = []
        self._texts: list[str] = []
        self._in_card = False
        self.html = answer.body.decode()
        self.feed(self.html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.links += [values["href"] or ""] if "href" in values else []
        self.pictures += [values["src"] or ""] if tag == "img" else []
        self._in_card = values.get("class") == "id" or (self._in_card and tag == "bdi")

    def handle_data(self, data: str) -> None:
        if self.lasttag not in ("style", "script"):
            self._texts.append(data)
        if self._in_card and data.strip():
            self.keys.append(data)
            self._in_card = False


@pytest.fixture
def made(finished: World, tmp_path: Path) -> World:
    world = finished.copy(tmp_path / "copy")
    world.change("gallery.yaml", lambda conf: conf["search"].update(recheck_seconds=0))
    return world


@pytest.fixture
def site(made: World) -> Site:
    return the_site(made.lake)


def get(site: Site, target: str) -> Answer:
    route = site.route(target)
    assert route is not None, target
    return route()


def ask(site: Site, query: str, page: int = 1) -> Read:
    from urllib.parse import quote

    return Read(get(site, f"/search?q={quote(query)}&page={page}"))


def sha(world: World, key: str) -> str:
    source = key.partition("/")[0]
    rows = world.lake.read("augmented", source).filter(pl.col("image_key") == key).collect()
    return rows[f"{source}__pixels_sha256"][0]


def test_other_paths_are_left_to_the_files(site):
    for path in (
        "/",
        "/index.html",
        "/manifest.json",
        "/a/b",
        "/thumbs/../a",
        "/thumbs/%00",
    ):
        assert site.route(path) is None


def test_a_key_a_post_an_id_a_hash_and_a_url_find_the_image(site, made):
    rows = made.lake.read("images").filter(pl.col("representative") == KEPT[1]).collect()
    names = [KEPT[1], "pixiv/101", rows["image_id"][0], sha(made, KEPT[1]),
             sha(made, KEPT[1]).upper(), "https://www.pixiv.net/artworks/101"]  # fmt: skip
    for name in names:
        assert ask(site, name).keys == [KEPT[1]], name
    both = [ask(site, key).keys for key in TWIN]
    assert both[0] == both[1] and len(both[0]) == 1
    assert ask(site, f"{KEPT[1]} {LOW_SCORE}").keys == [KEPT[1], LOW_SCORE]


def test_tags_and_fields_choose(site):
    assert ask(site, "tag:solo").keys == sorted(ask(site, 'source:danbooru tag:"SOLO"').keys)
    assert "danbooru/2" in ask(site, "tag:hatsune_miku is:kept").keys
    assert ask(site, "drop:low_clip_score").keys == [LOW_SCORE]
    assert ask(site, "drop:ai").keys == [AI]
    dropped, kept = ask(site, "is:dropped").keys, ask(site, "is:kept").keys
    assert FEW_BOOKMARKS in dropped and not {*dropped} & {*kept}
    read = ask(site, "tag:hatsune")
    assert read.keys == [] and "Nothing has the tag hatsune" in read.text
    assert "search.html?q=tag%3Ahatsune_miku" in read.links


def test_a_word_that_can_only_be_a_tag_is_one(site):
    read = ask(site, "hatsune_miku")
    assert "hatsune_miku is taken as a tag" in read.text
    assert "danbooru/2" in read.keys


def test_words_find_the_likest_by_the_text_tower(made, monkeypatch):
    site, means = the_site(made.lake), {}
    for key in (KEPT[1], LOW_SCORE):
        means[key] = np.array(embedding(key), np.float32)
    monkeypatch.setattr(site, "_means", replaced(site, lambda words: means[words]))
    monkeypatch.setattr("dataproc_assets.gallery.site.parse_query", words_alone)
    for key in means:
        read = ask(site, key)
        assert read.keys[0] == key and "cosine\u00a01.000" in read.html
    assert FEW_BOOKMARKS not in read.keys  # it was never scored


def words_alone(text: str, _: list[str]):
    from dataproc_assets.gallery.query import Query

    return Query((), (), text)


def replaced(site: Site, embed) -> Means:
    from dataclasses import replace

    return replace(site._means, embed=embed)


def test_real_words_are_read_by_the_real_tower(site):
    read = ask(site, "a girl with a hat")
    assert read.status == 200 and "the likest first" in read.text
    assert {*KEPT} <= {*read.keys}


def test_like_finds_a_picture_itself_first(site):
    read = ask(site, f"like:{KEPT[2]}")
    assert read.keys[0] == KEPT[2] and len(read.keys) > 3
    assert "no vector to compare" in ask(site, f"like:{FEW_BOOKMARKS}").text


def test_without_weights_keys_and_tags_go_on_and_the_page_says_what_to_do(site, monkeypatch):
    def none(words: str) -> np.ndarray:
        raise NoWordsError("clip.safetensors is not in the cache; fetch it with: dataproc weights")

    monkeypatch.setattr(site, "_means", replaced(site, none))
    read = ask(site, "red dress")
    assert read.status == 200 and read.keys == []
    assert "Words cannot be looked for: clip.safetensors is not in the cache" in read.text
    assert ask(site, KEPT[1]).keys == [KEPT[1]]
    assert "danbooru/2" in ask(site, "tag:hatsune_miku dress").keys


def test_pages_hold_so_many_pictures_and_lead_to_each_other(made):
    made.change("gallery.yaml", lambda conf: conf["search"].update(results=2, pages=3))
    assert made.make("gallery").success
    site, keys = the_site(made.lake), []
    for page in (1, 2, 3):
        read = ask(site, "-source:none", page)
        keys += read.keys
        assert len(read.keys) == 2
        assert "search.html?q=-source%3Anone&page=3" in read.links
    assert keys == sorted({*keys}) and "the first 6 are shown" in read.text
    for page in ("0", "4", "x", "-1", "99999999"):
        assert get(site, f"/search?q=girl&page={page}").status == 404


@pytest.mark.parametrize("query", [HOSTILE, f"tag:{HOSTILE}", f"pixiv/{HOSTILE}", "\x00\x07", "💥"])
def test_hostile_questions_are_text(site, query):
    for read in (ask(site, query), Read(get(site, f"/explain?of={query}"))):
        assert "<script>alert" not in read.html and "onerror=" not in read.html.replace(
            "onerror=alert(1)&gt;", ""
        )
        assert read.tags.count("script") == 1  # the page's own


def test_a_long_question_is_refused(site):
    assert get(site, f"/search?q={'a' * 301}").status == 400
    assert get(site, f"/explain?of={'a' * 301}").status == 400
    assert get(site, "/explain").status == 400


def test_the_empty_page_tells_how_to_ask_and_offers_what_there_is(site):
    read = ask(site, "")
    assert "tag:long_hair" in read.text and "search.html?q=tag%3A%22solo%22" in read.links
    assert "never_tag" not in read.text and "optout_artist" not in read.text


@pytest.mark.parametrize("key", [NEVER, OPT_OUT])
def test_what_is_withheld_is_known_by_its_name_alone(site, made, key):
    assert key not in ask(site, "-source:none").keys
    read = ask(site, key)
    assert read.keys == [] and "nothing of it may be shown here" in read.text
    assert get(site, f"/{picture_path('thumbs', sha(made, key))}").status == 404


def test_a_picture_that_no_page_shows_is_drawn_on_demand(site, made):
    digest = sha(made, KEPT[1])
    path = picture_path("thumbs", digest)
    stored = get(site, f"/{path}").body
    made.lake.store.delete(f"gallery/{path}")
    drawn = get(site, f"/{path}")
    assert (drawn.kind, drawn.body) == ("image/webp", stored)
    assert Image.open(io.BytesIO(drawn.body)).size == (256, 256)
    assert not made.lake.store.exists(f"gallery/{path}")
    for wrong in ("0" * 64, digest[:-1], digest):  # the last in a wrong folder
        assert get(site, f"/thumbs/00/{wrong}.webp").status == 404


def test_a_changed_original_is_not_drawn(finished, tmp_path, monkeypatch):
    made = finished.copy(tmp_path / "copy")
    digest, site = sha(made, KEPT[1]), the_site(made.lake)
    made.lake.store.delete(f"gallery/{picture_path('thumbs', digest)}")
    other = the_site(made.lake)._means.read_picture

    def read(uri: str, offset: int | None, length: int | None):
        return other(uri.replace("101_p0.png", "100_p0.png"), offset, length)

    from dataproc_assets.gallery.drawing import Drawing

    monkeypatch.setattr(site, "_drawing", Drawing(made.lake, read, made.lake.project.gallery))
    assert get(site, f"/{picture_path('thumbs', digest)}").status == 404


def test_what_is_withheld_by_now_is_shown_nowhere(site, made):
    paths = [f"/{picture_path(folder, sha(made, KEPT[1]))}" for folder in ("thumbs", "previews")]
    made.lake.store.put(f"gallery{paths[1]}", b"decoded latents")
    assert [get(site, path).status for path in paths] == [200, 200]
    rule = pl.DataFrame({"image_key": [KEPT[1]], "rule": ["never"]})
    append_ledger(made.lake.store, "quarantine", rule)
    assert KEPT[1] not in ask(site, "-source:none").keys
    assert "nothing of it may be shown here" in ask(site, KEPT[1]).text
    assert ask(site, f"like:{KEPT[1]}").keys == []
    assert [get(site, path).status for path in paths] == [404, 404]
    read = Read(get(site, f"/explain?of={KEPT[1]}"))
    assert read.pictures == [] and "work 101" not in read.text


def test_pages_that_tell_of_what_a_ledger_names_by_now_are_not_given(site, made):
    def given() -> dict[str, int]:
        store = made.lake.store
        return {
            path: site.cleared(Answer(HTTPStatus.OK, HTML, store.get(path))).status
            for path in store.list("gallery")["path"]
            if path.endswith(".html")
        }

    assert set(given().values()) == {200}
    entry = {"kind": ["post"], "value": ["pixiv/101"], "date": ["2024-06-01"], "reason": [""]}
    append_ledger(made.lake.store, "takedown", pl.DataFrame(entry))
    statuses = given()
    for path, status in statuses.items():
        tells = KEPT[1].encode() in made.lake.store.get(path)
        assert status == (503 if tells else 200), path
    assert statuses["gallery/images.html"] == 503 and statuses["gallery/index.html"] == 200


def test_the_index_itself_is_not_given(site):
    for name in ("pictures.parquet", "terms.parquet", "entries.vectors.npy"):
        assert get(site, f"/search/{name}").status == 404


def test_safety_that_is_stricter_by_now_hides_without_a_new_gallery(made):
    assert "danbooru/2" in ask(the_site(made.lake), "-source:none").keys
    made.change("safety.yaml", lambda conf: conf["opt_out"]["tags"].append("hatsune_miku"))
    site = the_site(made.lake)
    keys = ask(site, "-source:none").keys
    assert "danbooru/2" not in keys and KEPT[1] in keys
    read = Read(get(site, "/explain?of=danbooru/2"))
    assert read.pictures == [] and "opt_out" in read.text


def test_tables_that_are_being_made_are_no_reason_to_show_more(made, site):
    made.change("safety.yaml", lambda conf: conf["opt_out"]["tags"].append("hatsune_miku"))
    made.lake.store.delete(f"{made.lake.path('members')}/manifest.json")
    answer = get(the_site(made.lake), "/search?q=danbooru/2")
    assert answer.status == 503 and b"tables cannot be read as they are now" in answer.body


def test_before_the_gallery_is_drawn_it_says_what_draws_it(made):
    made.lake.store.delete("gallery/manifest.json")
    answer = get(the_site(made.lake), "/search?q=girl")
    assert answer.status == 503 and b"`dataproc run` draws the gallery" in answer.body


def test_a_new_gallery_is_noticed(made, site):
    assert KEPT[1] in ask(site, "-source:none").keys
    made.change("gallery.yaml", lambda conf: conf.update(thumb_side=64))
    assert made.make("gallery").success
    drawn = get(site, f"/{picture_path('thumbs', sha(made, KEPT[1]))}")
    assert Image.open(io.BytesIO(drawn.body)).size == (64, 64)
    assert KEPT[1] in ask(site, "-source:none").keys


def test_another_model_than_the_pictures_is_said_and_tags_go_on(made):
    made.change("metrics/clip.yaml", lambda conf: conf.update(version=99))
    site = the_site(made.lake)
    read = ask(site, "girl")
    assert read.keys == [] and "embedded by another model than clip now is" in read.text
    assert "danbooru/2" in ask(site, "tag:hatsune_miku").keys


def test_explain_tells_the_whole_way_with_pictures(site, made):
    (standing,) = ask(site, TWIN[0]).keys
    (duplicate,) = {*TWIN} - {standing}
    read = Read(get(site, f"/explain?of={duplicate}"))
    assert f"duplicate of {standing}" in read.text
    assert read.keys == [duplicate, standing]
    shown = [picture_path("thumbs", sha(made, key)) for key in (duplicate, standing)]
    assert read.pictures == shown
    for words in ("What joined the copies", "sha256", "Rules, in the order they were asked",
                  "low_clip_score", "clip_score >= 1.2", "Scores", "Record as crawled", "work 100",
                  "Merged fields", "values that lost", "Prompts of animagine4", "Releases",
                  "webdataset/", "Tags", "Addresses"):  # fmt: skip
        assert words in read.text, words
    assert "Withheld" not in read.text
    anchors = [link[1:] for link in read.links if link.startswith("#table")]
    assert len(anchors) >= 9 and all(f'id="{anchor}"' in read.html for anchor in anchors)


def test_explain_marks_the_rule_that_dropped(site):
    read = Read(get(site, f"/explain?of={LOW_SCORE}"))
    assert "prefiltered: dropped, low_clip_score: clip_score is 0.5" in read.text
    assert read.html.count('class="marked"') == 1


@pytest.mark.parametrize(("key", "rule"), [(NEVER, "never_tag"), (OPT_OUT, "opt_out")])
def test_explain_of_a_held_image_tells_rules_and_no_word_or_picture(site, key, rule):
    read = Read(get(site, f"/explain?of={key}"))
    assert rule in read.text and "Withheld" in read.text
    assert read.pictures == []
    for word in ("hatsune", "vocaloid", "1girl", "https://cdn", "loli", "optout_artist", "score"):
        assert word not in read.text.replace("clip_score", ""), word


def test_explain_of_what_nobody_knows_says_so(site):
    read = Read(get(site, "/explain?of=pixiv/999"))
    assert read.status == 404 and "nothing goes by that name" in read.text


def test_a_finished_run_leaves_the_index_as_the_tables_are(finished):
    """So that the server need not find out anew what may be shown."""
    from dataproc_assets.defs.shown import shown_state
    from dataproc_assets.gallery.search import load_index

    index = load_index(finished.lake.store)
    assert index.manifest["search"]["state"] == shown_state(finished.lake)
