"""Pages as HTML: nothing is loaded from elsewhere, all text is escaped, no script of it runs."""

import base64
import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dataproc_assets.gallery.pictures import THUMBS, is_digest, picture_path
from dataproc_assets.gallery.view import Page

NAVIGATION = [
    ("index.html", "Overview"),
    ("drops.html", "Drops"),
    ("clusters.html", "Clusters"),
    ("pairs.html", "Pairs"),
    ("tiers.html", "Tiers"),
    ("images.html", "Images"),
    ("release.html", "Releases"),
    ("samples.html", "Samples"),
    ("search.html", "Search"),
]
HERE = Path(__file__).parent
STYLE = (HERE / "style.css").read_text(encoding="utf-8")
SCRIPT = (HERE / "search.js").read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The one text that a policy lets through."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# `'self'` is no origin to a browser that opened a file; `file:` is what it shows pictures from.
POLICY = (
    f"default-src 'none'; img-src 'self' file:; style-src {_source(STYLE)}; "
    "base-uri 'none'; form-action 'none'"
)
SERVED_POLICY = (
    f"default-src 'none'; img-src 'self'; style-src {_source(STYLE)}; "
    f"script-src {_source(SCRIPT)}; base-uri 'none'; form-action 'self'"
)
_UNITS = ["bytes", "kB", "MB", "GB", "TB"]


class EveryPicture(Mapping[str, str]):
    """The path of any picture: those that no page of the gallery shows are drawn on demand."""

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and is_digest(digest)

    def __getitem__(self, digest: str) -> str:
        return picture_path(THUMBS, digest)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Renderer:
    """Renders pages that may refer to the pictures in `thumbs` (path by digest) and no others.

    Pages that are `served`, and not written, have a form to search by, and its one script.
    """

    def __init__(
        self, thumbs: Mapping[str, str], footer: dict[str, Any], *, served: bool = False
    ) -> None:
        self._environment = Environment(
            loader=PackageLoader("dataproc_assets.gallery"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_printable,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(count=_count, size=_size, share=_share)
        self._environment.globals.update(
            thumbs=thumbs,
            footer=footer,
            navigation=NAVIGATION,
            style=Markup(STYLE),
            policy=SERVED_POLICY if served else POLICY,
            script=Markup(SCRIPT) if served else None,
        )

    def render(self, page: Page) -> bytes:
        """The page's HTML, UTF-8."""
        template = self._environment.get_template(f"{page.template}.html.j2")
        html = template.render(page.values, title=page.title, section=page.section)
        return f"{html}\n".encode()


def _printable(value: Any) -> Any:
    """Text without control characters, which HTML forbids; everything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(
        character
        for character in value
        if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs"}
    )


def _count(number: int | None) -> str:
    """1234567 as `1,234,567`; an unknown number as a dash."""
    return "–" if number is None else f"{number:,}"


def _size(number: float) -> str:
    """A number of bytes in the largest unit that leaves at least one."""
    unit = 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def _share(part: float, whole: float) -> str:
    """A part of a whole in percent with one decimal; `0` where there is no whole."""
    return f"{100 * part / whole:.1f}" if whole else "0"
