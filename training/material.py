"""What the pictures are: openclipart's PNGs with their SVGs' metadata, and a novel's sprites.

`--material` names a folder into which the Debian packages openclipart-png 0.18, openclipart-svg
0.18 and renpy-thequestion 8.0.3 were unpacked (`dpkg-deb -x package.deb folder`).
"""

import html
import re
from hashlib import sha256
from pathlib import Path

import polars as pl
from PIL import Image

CLIPART = Path("usr/share/openclipart")
NOVEL = Path("usr/share/games/renpy/the_question/game/images")
# One theme of 1,375 computed stars and four icon themes would otherwise be half of the set.
MOST_OF_ONE_CREATOR_IN_A_FOLDER = 200
SHORTEST_SIDE, MOST_PIXELS = 64, 8_000_000
# Of 256 parts of the creators, by hash of the name: the first are unseen, the next validation.
UNSEEN, VALIDATION = 26, 52
# Titles that name a collection and not what the picture shows.
COLLECTIONS = re.compile(
    r"^(gramastar|various cliparts|etiquette icons|lemon svg theme|part of the .* collection.*|"
    r"flat icons?.*|untitled.*|drawing.*|clip ?art|.*\.svg)$",
    re.IGNORECASE,
)
Image.MAX_IMAGE_PIXELS = None  # headers alone are read of the few that pass Pillow's limit


def flatten(path: Path) -> Image.Image:
    """The picture in RGB, transparent parts white."""
    image = Image.open(path)
    if image.mode != "RGB":
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return image


def _field(svg: str, name: str) -> str:
    found = re.search(rf"<dc:{name}\b.*?</dc:{name}>", svg, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found[0])).split()) if found else ""


def _keywords(svg: str) -> list[str]:
    found = re.findall(r"<rdf:li[^>]*>(.*?)</rdf:li>", svg, re.DOTALL)
    words = {" ".join(html.unescape(w).lower().replace("_", " ").split()) for w in found}
    codes = {word for word in words if re.fullmatch(r"0x[0-9a-f]+|\d+", word)}
    return sorted(words - codes - {"", "hash", "unsorted", "special"})


def plain(text: str) -> str:
    """A title, file name or keyword as words: no creator, no number, no punctuation, lower case."""
    text = re.sub(r"^clip\s?art by [^-]*-", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(by|remix)\b.*$|\(.*?\)", "", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    words = re.sub(r"[^A-Za-z' ]+", " ", text).lower().split()
    return " ".join(word for word in words if len(word) > 1)


def fold(creator: str) -> str:
    """Where a creator's pictures belong: "training", "validation" or "unseen", by hash of the name.

    A series by one creator stays together.
    """
    part = sha256(creator.lower().encode()).digest()[0]
    return "unseen" if part < UNSEEN else "validation" if part < VALIDATION else "training"


def clipart(material: Path) -> pl.DataFrame:
    """One row a usable PNG, sorted by path.

    Columns: path, folder (two levels), title (words; empty where it says nothing), file (words of
    the file's name), keywords, creator, fold.
    """
    root = material / CLIPART
    rows = []
    for png in sorted((root / "png").rglob("*.png")):
        relative = png.relative_to(root / "png")
        with Image.open(png) as image:
            width, height = image.size
        if min(width, height) < SHORTEST_SIDE or width * height > MOST_PIXELS:
            continue
        svg = (root / "svg" / relative).with_suffix(".svg").read_text("utf-8", "replace")
        creator = _field(svg, "creator") or "unknown"
        title = _field(svg, "title")
        rows.append(
            {
                "path": str(png.relative_to(material)),
                "folder": "/".join(relative.parts[:2])
                if len(relative.parts) > 2
                else relative.parts[0],
                "title": "" if COLLECTIONS.match(title) else plain(title),
                "file": plain(relative.stem.replace("_", " ").replace("-", " ")),
                "keywords": _keywords(svg),
                "creator": creator,
                "draw": sha256(str(relative).encode()).hexdigest(),
                "fold": fold(creator),
            }
        )
    frame = pl.DataFrame(rows)
    rank = pl.col("draw").rank("ordinal").over("creator", pl.col("folder").str.split("/").list[0])
    return frame.filter(rank <= MOST_OF_ONE_CREATOR_IN_A_FOLDER).drop("draw").sort("path")


def novel(material: Path) -> list[Path]:
    """The drawn sprites and painted backgrounds of Ren'Py's example novel, sorted."""
    return sorted(
        p
        for p in (material / NOVEL).iterdir()
        if p.suffix in (".png", ".jpg") and p.name.startswith(("sylvie", "bg"))
    )
