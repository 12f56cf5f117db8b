import pytest

from dataproc_assets.gallery.query import Query, Term, parse_query

SOURCES = ["danbooru", "pixiv"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query((), (), "")),
        ("  red   dress ", Query((), (), "red dress")),
        ("pixiv/123_p0", Query(("pixiv/123_p0",), (), "")),
        ("https://x.com/a/status/1?s=20", Query(("https://x.com/a/status/1?s=20",), (), "")),
        ("AB" * 32, Query(("AB" * 32,), (), "")),
        ("tag:Long_Hair", Query((), (Term("tag", "long_hair"),), "")),
        ('tag:"Long  hair" smile', Query((), (Term("tag", "long_hair"),), "smile")),
        ("-rating:explicit", Query((), (Term("rating", "explicit", refused=True),), "")),
        ("like:pixiv/1_p0", Query((), (), "", "pixiv/1_p0")),
        ("and/or", Query((), (), "and/or")),  # no source has that name
        ("artist:someone", Query((), (), "artist:someone")),  # a field that may not be asked for
        ("tag:", Query((), (), "tag:")),
        ('tag:"', Query((), (Term("tag", '"'),), "")),
        ('"red dress"', Query((), (), "red dress")),
        ("ab" * 15, Query((), (), "ab" * 15)),  # too few digits
    ],
)
def test_a_question_is_read_as_it_is_meant(text, query):
    assert parse_query(text, SOURCES) == query


def test_all_kinds_stand_together_in_any_order():
    query = parse_query("red pixiv/1_p0 tag:1girl dress -is:dropped danbooru/2", SOURCES)
    assert query.names == ("pixiv/1_p0", "danbooru/2")
    assert query.terms == (Term("tag", "1girl"), Term("is", "dropped", refused=True))
    assert query.words == "red dress"
    assert not query.empty and parse_query(" ", SOURCES).empty
