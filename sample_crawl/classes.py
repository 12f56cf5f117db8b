"""What the sample crawl holds, class by class, and the truth that is known of each."""

import hashlib
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sample_crawl import defects, draw, images, labels, material
from sample_crawl.crawl import EXT, Crawl, Item

Truth = dict[str, dict[str, Any]]
SHARES = {"pixiv": 44, "danbooru": 44, "gelbooru": 25, "yandere": 22, "twitter": 20}
LAST_REPOST = datetime(2026, 9, 28)


def fill(folder: Path, picks: dict[str, Any]) -> tuple[Crawl, dict[str, Any]]:
    """Return the crawl built from the picks, and its ground truth."""
    crawl, truth = Crawl(), Truth()

    @cache
    def clip_art(name: str) -> material.Picture:
        return material.clip_art(folder, name)

    pictures = [clip_art(name) for name in picks["ordinary"]]
    truth["kept"] = ordinary(crawl, pictures, picks["faint"])
    special = {name: clip_art(path) for name, path in picks["special"].items()}
    truth["cross_posts"] = cross_posts(
        crawl, [(clip_art(group["picture"]), group) for group in picks["cross_posts"]]
    )
    truth["variants"] = variants(crawl, folder)
    for group in picks["variants"]:
        pictures = [clip_art(name) for name in group["pictures"]]
        items = [crawl.add(group["source"], picture) for picture in pictures]
        truth["variants"]["groups"].append(
            variant(group["name"], group["kind"], items, hard=group["hard"])
        )
    truth["cross_posts"]["groups"].extend(sprite_cross_posts(crawl, folder, truth["variants"]))
    truth.update(labels.add(crawl, special))
    truth.update(defects.add(crawl, special))
    return crawl, {"about": "keys are image_key; paths are below crawl/", "classes": truth}


def ordinary(crawl: Crawl, pictures: list[material.Picture], faint: list[str]) -> dict[str, Any]:
    """Deal the ordinary pictures to the sources; name some that must come out as they are."""
    dealt = sorted(pictures, key=lambda picture: draw.digest("deal", picture.name))
    kept: list[str] = []
    for source in (*SHARES, "artstation"):
        hand, dealt = dealt[: SHARES.get(source)], dealt[SHARES.get(source, len(dealt)) :]
        general: list[Item] = []
        for picture in hand:
            luck = draw.unit("rating", picture.name)
            rating = "general" if luck < 0.88 else "sensitive" if luck < 0.97 else "questionable"
            item = crawl.add(source, picture, rating=rating)
            if rating == "general" and picture.name not in faint:
                general.append(item)
        largest = sorted(general, key=lambda item: (-len(item.data), item.key))
        kept.extend(item.key for item in largest[:4])
    return {
        "what": "ordinary pictures found once, rated general, with the most detail of their source",
        "expect": "release: each is an image of its own, its own representative",
        "keys": sorted(kept),
    }


def cross_posts(
    crawl: Crawl, groups: list[tuple[material.Picture, dict[str, Any]]]
) -> dict[str, Any]:
    """Post the same picture on two to four sources, with or without a link between them."""
    found = []
    for picture, group in groups:
        items: list[Item] = []
        kinds = [kind for _, kind in group["members"]]
        for source, kind in group["members"]:
            items.append(cross_post(crawl, picture, source, kind, group["link"], items))
        found.append(cross_group(picture.name.split("/")[-1], group["link"], items, kinds))
    return {
        "what": "one picture posted on several sources: recode = other format or quality, resize = "
        "0.6-0.8x, crop = 1-2% off each edge, same_bytes = the same file",
        "expect": "dedup_cross: one component of exactly these keys, one representative; the "
        "others drop as duplicate of it",
        "groups": found,
    }


def cross_post(
    crawl: Crawl, picture: material.Picture, source: str, kind: str, link: str, before: list[Item]
) -> Item:
    """Post the picture as the next member of a group; its record may cite the first member."""
    origin = before[0] if before else None
    raw: dict[str, object]
    if origin is None:
        start = datetime(2015, 6, 1) + timedelta(days=draw.integer(0, 4000, "day", picture.name))
        # A danbooru record names an original that is not here, unless its bytes are cross-posted.
        data = images.encode(images.render(picture, "original"), EXT.get(source, "jpg"))
        same = link == "md5" and source == "danbooru"
        raw = {"md5": hashlib.md5(data).hexdigest()} if same else {}
        return crawl.add(
            source, picture, label="cross", created=start, data=data, ext=EXT.get(source, "jpg"),
            raw=raw,
        )  # fmt: skip
    created = min(
        origin.created + timedelta(hours=draw.integer(3, 900, "late", source, picture.name)),
        LAST_REPOST,
    )
    raw = {}
    if link == "pixiv_id" and source == "danbooru":
        raw = {"pixiv_id": int(origin.id), "source": origin.record["url"]}
    elif link in ("pixiv_id", "source_url"):
        raw = {"source": origin.page_url()}
    elif link == "md5" and source == "danbooru":
        raw = {"md5": origin.md5}
    data = origin.data if kind == "same_bytes" else None
    return crawl.add(
        source,
        picture,
        edit=kind,
        label="cross",
        data=data,
        ext=origin.ext if data else None,
        created=created,
        raw=raw,
    )


def cross_group(name: str, link: str, items: list[Item], kinds: list[str]) -> dict[str, Any]:
    """Return the truth of one group: what joins it, and what was done to each member."""
    return {
        "name": name,
        "link": link,
        "original": items[0].key,
        "members": [
            {"key": item.key, "kind": kind} for item, kind in zip(items, kinds, strict=True)
        ],
    }


def variant(name: str, kind: str, items: list[Item], *, hard: bool = False) -> dict[str, Any]:
    """Return the truth of one group of pictures that look alike and are not the same."""
    return {"name": name, "kind": kind, "hard": hard, "keys": [item.key for item in items]}


def variants(crawl: Crawl, folder: Path) -> dict[str, Any]:
    """Post the heroine in every costume and expression, alone, close, and in places."""
    work = draw.moment(datetime(2020, 1, 1), "sylvie")
    number = "102932581"
    blue = [
        crawl.add(
            "pixiv",
            material.sylvie(folder, "blue", expression),
            created=work,
            post_id=number,
            page=(page, 4),
            title="Sylvie",
        )
        for page, expression in enumerate(material.EXPRESSION_TAGS)
    ]
    green: list[Item] = []
    for expression in material.EXPRESSION_TAGS:
        parent = {"parent_id": int(green[0].id)} if green else {"has_children": True}
        picture = material.sylvie(folder, "green", expression)
        green.append(crawl.add("danbooru", picture, raw=parent))
    faces = {
        (costume, expression): material.face(folder, costume, expression)
        for costume, expression in (
            ("blue", "giggle"), ("blue", "normal"), ("green", "giggle"), ("green", "surprised"),
        )
    }  # fmt: skip
    close = {
        name: crawl.add("gelbooru" if name[0] == "blue" else "yandere", picture)
        for name, picture in faces.items()
    }
    posed = {
        (costume, expression, place): crawl.add(
            source, material.sylvie(folder, costume, expression, place)
        )
        for costume, expression, place, source in (
            ("blue", "smile", "uni", "twitter"), ("green", "smile", "uni", "twitter"),
            ("blue", "normal", "meadow", "pixiv"), ("blue", "surprised", "meadow", "pixiv"),
            ("green", "smile", "club", "danbooru"), ("green", "smile", "lecturehall", "danbooru"),
        )
    }  # fmt: skip
    pose = list(posed.values())
    face = list(close.values())
    return {
        "what": "pictures that look alike and are not the same: other expression, costume, colour, "
        "place or detail; hard = a 64-bit perceptual hash and the mean colour cannot tell them",
        "expect": "dedup: at most an edge of kind variant; every key stays an image of its own",
        "groups": [
            variant("Sylvie in blue", "expression", blue, hard=True),
            variant("Sylvie in green", "expression", green, hard=True),
            variant("face above blue", "expression", face[:2]),
            variant("face above green", "expression", face[2:]),
            variant("two costumes at the university", "costume", pose[:2], hard=True),
            variant("two expressions at the meadow", "expression", pose[2:4], hard=True),
            variant("one pose in two places", "place", pose[4:]),
        ],
    }


def sprite_cross_posts(crawl: Crawl, folder: Path, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Post the four places, one of them twice, and one of the variants again elsewhere."""
    places = {
        place: crawl.add("artstation", material.background(folder, place))
        for place in material.PLACE_TAGS
    }
    club = crawl.add(
        "twitter", material.background(folder, "club"), edit="resize",
        created=min(places["club"].created + timedelta(days=3), LAST_REPOST),
    )  # fmt: skip
    keys = {group["name"]: group["keys"] for group in found["groups"]}
    smile = crawl.items[keys["Sylvie in green"][list(material.EXPRESSION_TAGS).index("smile")]]
    someone = crawl.items[keys["two costumes at the university"][0]]
    found["groups"].append(
        variant("the university with and without her", "figure", [places["uni"], someone])
    )
    picture = material.sylvie(folder, "green", "smile")
    again = crawl.add("yandere", picture, edit="recode", created=smile.created)
    return [
        cross_group("club", "none", [places["club"], club], ["original", "resize"]),
        cross_group("variant_twin", "none", [smile, again], ["original", "recode"]),
    ]
