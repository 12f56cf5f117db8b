"""Pages that only the server can fill: as files they say how to get the answer."""

from dataproc_assets.gallery.view import Page

SEARCH, EXPLAIN = "search.html", "explain.html"


def served_pages() -> list[Page]:
    """`search.html` and `explain.html` as they stand where nothing but files is served.

    Links lead there with what they ask, so none is dead: `dataproc gallery` answers under the
    same names.
    """
    return [
        Page(SEARCH, "Search", "unserved", {"what": "search"}, SEARCH),
        Page(EXPLAIN, "Why an image is where it is", "unserved", {"what": "explain"}, ""),
    ]
