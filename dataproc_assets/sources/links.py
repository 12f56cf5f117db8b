"""The pixiv work and page that a booru's `source` text names."""

import html
import re
from urllib.parse import parse_qs

_HOST = r"(?<![\w.-])(?:[\w-]+\.)*(?:pximg|pixiv)\.net/"
_FILE = re.compile(
    _HOST + r"(?:c/[^/\s]+/)?"
    # The dated path of today, or the artist's folder of the years before 2013.
    r"(?:img-(?:original|master|zip-ugoira)/img(?:/\d+){6}|(?:img\d+/)?img/[^/\s]+)"
    r"/(?P<id>\d+)(?:-[0-9a-f]+)?(?:_(?:big_)?p(?P<page>\d{1,4}))?(?=[_.])"
)
_WORK = re.compile(_HOST + r"(?:[a-z]{2}/)?(?:artworks|i)/(?P<id>\d+)")
_QUERY = re.compile(_HOST + r"member_illust\.php\?(?P<query>[^\s#]+)")


def pixiv_link(source: str | None) -> tuple[str | None, int | None]:
    """Work id and page number that `source` names, each null where it does not say.

    Knows image files (`i.pximg.net/img-original/…/{id}_p{page}.png`, also with a hash after the
    id), `pixiv.net/artworks/{id}`, `pixiv.net/i/{id}` and `member_illust.php?illust_id={id}`.
    """
    text = html.unescape(source or "")
    if "pixiv.net/" not in text and "pximg.net/" not in text:
        return None, None  # as most do; the expressions below are slow to find out
    if found := _FILE.search(text):
        return found["id"], None if found["page"] is None else int(found["page"])
    if found := _WORK.search(text):
        return found["id"], None
    if found := _QUERY.search(text):
        query = parse_qs(found["query"])
        work, page = query.get("illust_id", [""])[0], query.get("page", [""])[0]
        if re.fullmatch(r"[0-9]+", work):
            return work, int(page) if re.fullmatch(r"[0-9]{1,4}", page) else None
    return None, None
