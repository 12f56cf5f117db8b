"""What lies on the bucket of a test's world: two sources, and ten small pictures."""

import io
import json
import tarfile
from typing import Any

import numpy as np
from PIL import Image

TWIN = ("pixiv/100_p0", "danbooru/1")  # one picture, posted on both
KEPT = ("pixiv/100_p0", "pixiv/101_p0", "danbooru/2")
FEW_BOOKMARKS = "pixiv/102_p0"  # dropped by its record, never scored
LOW_SCORE = "pixiv/103_p0"  # dropped after scoring
NO_IMAGE = "pixiv/104_p0"
AI, NEVER, OPT_OUT, BANNED_WORD = "danbooru/3", "danbooru/4", "danbooru/5", "danbooru/6"
SIDE = 256


def picture(number: int) -> bytes:
    """A PNG of 256 x 256: a gradient with a bar whose place depends on the number."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    pixels = np.stack([x, y, (x + y + number * 40) % 256], axis=-1).astype(np.uint8)
    pixels[:, number * 23 % 220 : number * 23 % 220 + 30] = 255 - 20 * (number % 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pixiv_record(number: int, **changes: Any) -> dict[str, Any]:
    """A work of one page, as the crawler writes it."""
    return {
        "id": number,
        "num": 0,
        "type": "illust",
        "title": f"work {number}",
        "caption": "",
        "create_date": "2019-05-01T12:00:00+09:00",
        "width": SIDE,
        "height": SIDE,
        "x_restrict": 0,
        "illust_ai_type": 1,
        "total_bookmarks": 5000 + number,
        "tags": ["1girl", "風景"],
        "user": {"id": 7, "name": "Ada", "account": "ada"},
        **changes,
    }


def danbooru_record(number: int, **changes: Any) -> dict[str, Any]:
    """A post, as the crawler writes it."""
    return {
        "id": number,
        "created_at": "2020-02-01T00:00:00.000+00:00",
        "score": 10 + number,
        "fav_count": 100 + number,
        "rating": "g",
        "md5": f"{number:032x}",
        "file_ext": "png",
        "file_url": f"https://cdn.donmai.us/{number}.png",
        "image_width": SIDE,
        "image_height": SIDE,
        "tag_string_general": "1girl solo",
        "tag_string_character": "hatsune_miku",
        "tag_string_copyright": "vocaloid",
        "tag_string_artist": "bo",
        "tag_string_meta": "",
        **changes,
    }


DANBOORU = {
    1: danbooru_record(1),
    2: danbooru_record(2),
    3: danbooru_record(3, tag_string_meta="ai-generated"),
    4: danbooru_record(4, rating="e", tag_string_general="1girl loli"),
    5: danbooru_record(5, tag_string_artist="optout_artist"),
    6: danbooru_record(6, tag_string_general="1girl forbiddenword"),
}
PIXIV = {
    100: pixiv_record(100),
    101: pixiv_record(101),
    102: pixiv_record(102, total_bookmarks=3),
    103: pixiv_record(103),
    104: pixiv_record(104),
}


def danbooru_tar(posts: dict[int, dict[str, Any]], pictures: dict[int, bytes]) -> bytes:
    """The posts with their pictures, in one tar; post 1 shows what pixiv's 100 shows.

    Args:
        pictures: the files of some posts, in place of those.
    """
    files = {number: picture(100 if number == 1 else number) for number in posts} | pictures
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, record in posts.items():
            _add(tar, f"{number}.png", files[number])
            _add(tar, f"{number}.json", json.dumps(record).encode())
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
