"""The raw pictures: clip art with its RDF metadata, and the sprites of a visual novel."""

import html
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

PACKAGES = ("openclipart-png", "openclipart-svg", "renpy-thequestion")
CLIP_ART = Path("usr/share/openclipart")
SPRITES = Path("usr/share/games/renpy/the_question/game/images")
NO_TITLE = re.compile(r"clipart by nicu|r16 sibmission|homes clipart|-aj$|menu clip art", re.I)
NO_TAG = re.compile(
    r"hash|0x|\d+$|architetto|\W*.$|clip_?art|unsorted|symbols?$|shape|logos|smiley|festive"
)
FOCUS = {
    "animals": ["animal", "animal_focus"],
    "plants": ["plant", "nature"],
    "food": ["food", "food_focus", "still_life"],
    "buildings": ["building", "house"],
    "transportation": ["vehicle_focus"],
    "recreation": ["still_life"],
    "people": [],
}


@dataclass(frozen=True)
class Picture:
    """A drawing with what its author said of it; `image` is RGBA, trimmed to its content."""

    name: str
    title: str
    tags: tuple[str, ...]
    artist: str
    image: Image.Image
    character: str = ""
    copyright: str = ""
    plain_background: bool = True


def fetch(folder: Path) -> None:
    """Download the Debian packages with apt-get and unpack them into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as downloads:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=downloads, check=True)
        for package in sorted(Path(downloads).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)


def require(folder: Path) -> None:
    """Raise FileNotFoundError when a package is not unpacked in `folder`."""
    for part in (CLIP_ART / "png", CLIP_ART / "svg", SPRITES):
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f"{folder / part} is not there: unpack {', '.join(PACKAGES)} into {folder}, "
                "or pass --fetch to let apt-get do it"
            )


def clip_art(folder: Path, name: str) -> Picture:
    """Return the drawing at `name`, the path below openclipart/png without its suffix."""
    root = ET.parse(folder / CLIP_ART / "svg" / f"{name}.svg").getroot()
    topic, stem = name.split("/")[0], name.split("/")[-1]
    title = _text(root, "title")
    if NO_TITLE.search(title):
        title = re.sub(r"\d+", "", stem)
    keywords = [word.strip().lower() for word in _keywords(root)]
    tags = [re.sub(r"[\s_]+", "_", word) for word in keywords]
    tags = [tag for tag in tags if not NO_TAG.match(tag)]
    people = topic == "people"
    tags += FOCUS.get(topic, ["still_life"]) + ([] if people else ["no_humans"])
    with Image.open(folder / CLIP_ART / "png" / f"{name}.png") as picture:
        image = trim(picture.convert("RGBA"))
    return Picture(
        name=name,
        title=re.sub(r"[\s_|]+", " ", html.unescape(title)).strip().capitalize(),
        tags=tuple(dict.fromkeys(tags)),
        artist=_artist(_text(root, "creator/")) or stem,
        image=image,
    )


def _text(root: ET.Element, field: str) -> str:
    """Return the text of the first Dublin Core element of that name ('creator/': of its agent)."""
    for element in root.iter():
        if element.tag == "{http://purl.org/dc/elements/1.1/}" + field.rstrip("/"):
            text = "".join(element.itertext()).strip()
            if text:
                return text
    return ""


def _keywords(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        if element.tag.endswith("}subject"):
            for item in element.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"):
                if item.text and item.text.strip():
                    yield item.text


def _artist(name: str) -> str:
    """Return a name without the e-mail address that some authors put behind it."""
    return re.sub(r"\s*[-(]\s*\S+@\S+|@\S+", "", html.unescape(name)).strip()


def trim(image: Image.Image) -> Image.Image:
    """Cut the empty border off, then pad to an aspect between 3:5 and 5:3 with a small margin."""
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    ink = white.convert("L").point(lambda value: 255 if value < 247 else 0)
    image = image.crop(ink.getbbox())
    margin = round(0.04 * max(image.size))
    width = max(image.width, round(0.6 * image.height)) + 2 * margin
    height = max(image.height, round(0.6 * image.width)) + 2 * margin
    canvas = Image.new("RGBA", (width, height), (255, 255, 255, 0))
    canvas.alpha_composite(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas


EXPRESSION_TAGS = {
    "giggle": ("closed_eyes", "smile", "open_mouth"),
    "normal": ("blue_eyes", "closed_mouth"),
    "smile": ("blue_eyes", "smile", "open_mouth"),
    "surprised": ("blue_eyes", "surprised", "open_mouth"),
}
COSTUME_TAGS = {
    "blue": ("blue_shirt", "brown_skirt", "scarf", "arms_behind_back"),
    "green": ("green_dress", "notebook", "holding", "short_sleeves"),
}
PLACE_TAGS = {
    "club": ("palm_tree", "building", "outdoors"),
    "lecturehall": ("lecture_hall", "indoors", "chair", "window"),
    "meadow": ("road", "meadow", "cloud", "sky", "outdoors"),
    "uni": ("path", "tree", "bench", "outdoors"),
}
FACES = {"blue": (90, 40, 210, 160), "green": (150, 50, 260, 160)}


def sylvie(folder: Path, costume: str, expression: str, place: str | None = None) -> Picture:
    """Return the heroine in a costume with an expression, alone or standing in a place."""
    with Image.open(folder / SPRITES / f"sylvie {costume} {expression}.png") as sprite:
        image = sprite.convert("RGBA")
    tags = ["1girl", "solo", "long_hair", "brown_hair", "looking_at_viewer"]
    tags += [*EXPRESSION_TAGS[expression], *COSTUME_TAGS[costume]]
    if place:
        scene = background(folder, place)
        canvas = scene.image.copy()
        canvas.alpha_composite(
            image, ((canvas.width - image.width) // 2, canvas.height - image.height)
        )
        image, tags = canvas, [*tags, *PLACE_TAGS[place]]
    return Picture(
        name=f"sylvie/{costume}/{expression}/{place}",
        title=f"Sylvie in {costume}, {expression}",
        tags=tuple(dict.fromkeys(tags)),
        artist="Tom Rothamel",
        image=image,
        character="sylvie_(the_question)",
        copyright="the_question",
        plain_background=place is None,
    )


def face(folder: Path, costume: str, expression: str) -> Picture:
    """Return the heroine's face alone."""
    whole = sylvie(folder, costume, expression)
    return replace(
        whole,
        name=f"face/{costume}/{expression}",
        title=f"Sylvie's face, {expression}",
        tags=(*(tag for tag in whole.tags if tag not in COSTUME_TAGS[costume]), "close-up"),
        image=whole.image.crop(FACES[costume]),
    )


def background(folder: Path, place: str) -> Picture:
    """Return one of the four painted places."""
    with Image.open(folder / SPRITES / f"bg {place}.jpg") as scene:
        image = scene.convert("RGBA")
    return Picture(
        name=f"place/{place}",
        title=f"Scenery: {place}",
        tags=(*PLACE_TAGS[place], "scenery", "no_humans"),
        artist="Tom Rothamel",
        image=image,
        copyright="the_question",
        plain_background=False,
    )
