"""What a post's URL tells: its site, by whatever name it is passed around, and its words."""

from urllib.parse import parse_qsl, urlsplit

import polars as pl

# other names under which a site's posts are passed around
HOSTS = {
    "x.com": "twitter.com",
    "fxtwitter.com": "twitter.com",
    "vxtwitter.com": "twitter.com",
    "fixupx.com": "twitter.com",
    "phixiv.net": "pixiv.net",
}
_BARE = ("www.", "mobile.")


def site(host: str) -> str:
    """The host by which a site is known here."""
    bare = host.lower()
    for prefix in _BARE:
        bare = bare.removeprefix(prefix)
    return HOSTS.get(bare, bare)


def url_words(url: str) -> tuple[str, list[str]]:
    """The site of a URL, and the words that may be a post's id: of its path, of its query's ids."""
    parts = urlsplit(url)
    ids = [value for name, value in parse_qsl(parts.query) if name.lower().endswith("id")]
    words = [*parts.path.split("/"), *ids]
    return site(parts.hostname or ""), [word for word in words if word]


def url_site(url: pl.Expr) -> pl.Expr:
    """The site of a column of URLs (String), as `site` gives it."""
    host = url.str.extract(r"^https?://([^/:?#]+)", 1).str.to_lowercase()
    for prefix in _BARE:
        host = host.str.strip_prefix(prefix)
    return host.replace(HOSTS)
