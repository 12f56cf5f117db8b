from pathlib import Path

import pytest

from dataproc_assets.config.project import load_project
from dataproc_assets.takedown.entries import Asked, EntryError, read_csv, read_date, read_value

ASKED = Asked("2026-01-02", "asked")


@pytest.fixture(scope="module")
def project():
    return load_project(profile="local")


@pytest.fixture
def table(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "asked.csv"
        path.write_bytes(text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("danbooru/123", "key", "danbooru/123"),
        (" pixiv/123_p0 ", "key", "pixiv/123_p0"),
        ("pixiv/123", "post", "pixiv/123"),
        ("https://www.pixiv.net/artworks/1", "url", "https://www.pixiv.net/artworks/1"),
        ("AB" * 16, "hash", "ab" * 16),
        ("c" * 64, "hash", "c" * 64),
    ],
)
def test_a_value_tells_its_kind(project, text, kind, value):
    assert read_value(project, text) == (kind, value)


@pytest.mark.parametrize("text", ["", "nowhere/1", "pixiv/", "ada", "ab" * 15, "https://x.com/"])
def test_what_names_no_image_is_refused_with_the_ways_to_name_one(project, text):
    with pytest.raises(EntryError, match=r"is no key or post .*--artist"):
        read_value(project, text)


def test_a_csv_may_say_little_or_all(project, table):
    plain = table("value\npixiv/1\n\ndanbooru/2\n")
    assert read_csv(project, plain, ASKED) == [
        ("post", "pixiv/1", "2026-01-02", "asked"),
        ("key", "danbooru/2", "2026-01-02", "asked"),
    ]
    full = table(
        "\ufeffKind,Value,Date,Reason,Note\nartist,ada,2025-05-05,by letter,x\nkey,danbooru/2,,,\n"
    )
    assert read_csv(project, full, ASKED) == [
        ("artist", "ada", "2025-05-05", "by letter"),
        ("key", "danbooru/2", "2026-01-02", "asked"),
    ]


def test_an_export_of_a_registry_names_urls_or_artists(project, table):
    urls = table("id,url\n1,https://x.com/a/status/5\n")
    assert read_csv(project, urls, ASKED)[0][:2] == ("url", "https://x.com/a/status/5")
    artists = table('artist\n"Lovelace, Ada"\n')
    assert read_csv(project, artists, ASKED)[0][:2] == ("artist", "Lovelace, Ada")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\nx\n", "asked.csv: its first line must name a column .* it names name"),
        ("", "it names none"),
        ("value\npixiv/1\nada\n", "asked.csv:3: 'ada' is no key"),
        ("value,date\npixiv/1,yesterday\n", "asked.csv:2: 'yesterday' is no date"),
        ("value,kind\npixiv/1,work\n", "asked.csv:2: 'work' is no kind; there are key, post"),
        ("value,reason\n,why\n", "asked.csv:2: the value is empty"),
    ],
)
def test_a_row_that_cannot_be_understood_is_named_and_nothing_is_taken(
    project, table, text, message
):
    with pytest.raises(EntryError, match=message):
        read_csv(project, table(text), ASKED)


def test_a_file_that_is_no_text_is_refused(project, tmp_path):
    path = tmp_path / "asked.csv"
    path.write_bytes(b"value\n\xff\xfe\n")
    with pytest.raises(EntryError, match="is no CSV file in UTF-8"):
        read_csv(project, path, ASKED)


def test_a_date_is_an_iso_date():
    assert read_date("2026-11-28") == "2026-11-28"
    with pytest.raises(EntryError, match="write it as"):
        read_date("28.11.2026")
