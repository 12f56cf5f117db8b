"""Specials by file: broken, odd and missing images, broken and missing records, stray files."""

import json
from typing import Any

from sample_crawl import draw, images
from sample_crawl.crawl import LAYOUT, Crawl
from sample_crawl.labels import truth
from sample_crawl.material import Picture

BOMB_SIDE = 30_000


def add(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Put the odd files in and return their classes."""
    return {
        **broken(crawl, special),
        **odd(crawl, special),
        **unpaired(crawl, special),
        "hidden_files": hidden_files(crawl),
        "bad_record": bad_records(crawl),
    }


def broken(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Put in files that no decoder gets an image from."""
    picture = special["truncated"]
    whole = images.encode(images.render(picture, "original"), "jpg")
    return {
        "corrupt": truth(
            "a .jpg of noise, with a good record",
            "pixels: status failed with an error that names the image; no later stage stops",
            crawl.add(
                "gelbooru", picture, label="noise", data=draw.noise(6000, "corrupt"), ext="jpg"
            ),
        ),
        "truncated": truth(
            "a JPEG cut at 40% of its bytes",
            "pixels: status failed (truncated); no later stage stops",
            crawl.add("artstation", picture, data=whole[: len(whole) * 2 // 5], ext="jpg"),
        ),
        "bomb": truth(
            f"a PNG of some 100 KB that declares {BOMB_SIDE} x {BOMB_SIDE} pixels, all valid",
            "pixels: status failed (too many pixels) before the bitmap is allocated",
            crawl.add(
                "gelbooru",
                picture,
                label="bomb",
                data=images.bomb(BOMB_SIDE),
                ext="png",
                size=(BOMB_SIDE, BOMB_SIDE),
            ),
        ),
    }


def odd(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Put in images that are fine and need care: turned, transparent, moving, tiny, long."""
    turned = images.render(special["exif_rotated"], "original")
    tulips = images.scale(special["transparent_pixiv"].image, 448)
    mushroom = images.scale(special["transparent_gelbooru"].image, 448)
    small = images.scale(special["low_pixels"].image, 96).resize((96, 96))
    base = images.scale(images.flatten(special["animated_base"].image), 360)
    long = images.strip(images.flatten(special["extreme"].image), 1200, 150)
    moving = images.animation(base, 4)
    return {
        "exif_rotated": truth(
            "a JPEG lying on its side, with EXIF orientation 6",
            f"pixels: width {turned.width}, height {turned.height}: after orientation; kept",
            crawl.add(
                "twitter",
                special["exif_rotated"],
                data=images.turned_jpeg(turned),
                ext="jpg",
                size=turned.size,
            ),
            width=turned.width,
            height=turned.height,
        ),
        "transparent": truth(
            "a webp and a png with an alpha channel, mostly transparent around the drawing",
            "pixels: alpha_share > 0; flattened on white for every model; kept",
            crawl.add("pixiv", special["transparent_pixiv"], image=tulips),
            crawl.add("gelbooru", special["transparent_gelbooru"], image=mushroom, ext="png"),
        ),
        "animated_gif": truth(
            "a GIF of 4 frames",
            "pixels: frames 4; dropped as an animation where the YAML says so",
            crawl.add(
                "gelbooru",
                special["animated_base"],
                data=moving,
                ext="gif",
                size=base.size,
                tags=("animated", "animated_gif"),
            ),
        ),
        "low_pixels": truth(
            "an image of 96 x 96 pixels",
            "prefiltered: dropped for too few pixels",
            crawl.add("gelbooru", special["low_pixels"], image=images.flatten(small), ext="png"),
        ),
        "extreme_aspect": truth(
            "an image of 1200 x 150 pixels",
            "prefiltered: dropped for its aspect",
            crawl.add("yandere", special["extreme"], image=long),
        ),
        "hash_name": truth(
            "a pixiv original whose file name carries a hash: {id}-{32 hex digits}_p0.jpg",
            "inventory: its key is pixiv/{id}_p0; kept",
            crawl.add("pixiv", special["hash_name"], ext="jpg", hashed_name=True),
        ),
    }


def unpaired(crawl: Crawl, special: dict[str, Picture]) -> dict[str, dict[str, Any]]:
    """Put in records without their image, images without their record, and a cover."""
    lost = special["cover"]
    return {
        "record_without_image": truth(
            "good records whose image is not on the bucket: pixiv, danbooru, gelbooru",
            "merged: has_image false; dropped in prefiltered with that reason",
            crawl.add("pixiv", lost, label="lost", stored=False),
            crawl.add("danbooru", lost, label="lost", stored=False),
            crawl.add("gelbooru", lost, label="lost", stored=False),
        ),
        "image_without_record": truth(
            "images whose record is not on the bucket: pixiv, twitter, yandere",
            "merged: has_record false; dropped in prefiltered with that reason",
            crawl.add("pixiv", special["without_record_pixiv"], recorded=False),
            crawl.add("twitter", special["without_record_twitter"], recorded=False),
            crawl.add("yandere", special["without_record_yandere"], recorded=False),
        ),
        "cover_asset": cover(crawl, lost),
    }


def cover(crawl: Crawl, picture: Picture) -> dict[str, Any]:
    """Put in a project of ArtStation: its cover asset beside the image itself."""
    asset = crawl.add("artstation", picture)
    thumbnail = crawl.add("artstation", picture, edit="resize", label="cover", post_id=asset.id,
                          created=asset.created, asset_type="cover")  # fmt: skip
    thumbnail.record["asset"]["asset_type"] = "cover"
    return truth(
        "an asset of type cover; the image of the same project is `kept`",
        "records: kind cover; dropped at intake or in prefiltered",
        thumbnail,
        kept=[asset.key],
    )


def hidden_files(crawl: Crawl) -> dict[str, Any]:
    """Put in what file managers and people leave behind."""
    files = {
        f"{LAYOUT['pixiv']}/.DS_Store": b"\0\0\0\1Bud1" + draw.noise(600, "DS_Store"),
        f"{LAYOUT['gelbooru']}/images/Thumbs.db": draw.noise(900, "Thumbs.db"),
        f"{LAYOUT['artstation']}/images/notes.txt": b"second batch copied, check the covers\n",
    }
    crawl.files.update(files)
    return {
        "what": "files that are neither image nor record",
        "expect": "inventory and records: not in them, and nothing fails",
        "paths": sorted(files),
    }


def bad_records(crawl: Crawl) -> dict[str, Any]:
    """Put in a line that is no JSON, and one whose id a float has already spoilt."""
    tweets, posts = f"{LAYOUT['twitter']}/tweets.jsonl", f"{LAYOUT['gelbooru']}/posts-001.jsonl"
    model = next(item for item in crawl.items.values() if item.source == "twitter" and item.record)
    spoilt = {**model.record, "tweet_id": 1.4993646695047864e18}
    crawl.lines[tweets].append(("twitter/5", json.dumps(spoilt, ensure_ascii=False)))
    crawl.lines[posts].append(("gelbooru/5", '{"id":14970719,"created_at":"Sat Sep 26 03:5'))
    return {
        "what": "a line that is cut in the middle of its JSON, and a tweet whose id is a float",
        "expect": "records: each goes to rejects with its file and a reason; the rest is read",
        "paths": [posts, tweets],
    }
