"""The bucket being filled: images and records, each at its source's place and in its layout."""

import gzip
import hashlib
import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from sample_crawl import draw, images, records
from sample_crawl.material import Picture

FIRST = {"twitter": datetime(2012, 1, 1), "artstation": datetime(2015, 1, 1)}
LAYOUT = {
    "pixiv": "dataset-pixiv/resized_1572864",
    "danbooru": "unidataset-danbooru",
    "gelbooru": "dataset-gelbooru",
    "yandere": "dataset-yandere",
    "twitter": "dataset-twitter",
    "artstation": "dataset-artstation",
}
EXT = {"pixiv": "webp", "danbooru": "webp", "yandere": "jpg", "twitter": "jpg"}
SHARD_TIME = 1_790_000_000


@dataclass(frozen=True)
class Item:
    """An image or record put into the crawl; `data` and `md5` are empty without an image."""

    key: str
    source: str
    id: str
    ext: str
    data: bytes
    md5: str
    created: datetime
    record: dict[str, Any]

    def page_url(self) -> str:
        """Return the public page of the post, as other sites cite it."""
        user = self.record.get("author", {})
        return {
            "pixiv": f"https://www.pixiv.net/artworks/{self.id}",
            "twitter": f"https://twitter.com/{user and user['name']}/status/{self.id}",
            "artstation": self.record.get("permalink", ""),
            "danbooru": f"https://danbooru.donmai.us/posts/{self.id}",
        }[self.source]


@dataclass
class Crawl:
    """A bucket in memory: `add` puts images and records in, `write` lays them out as files."""

    files: dict[str, bytes] = field(default_factory=dict)
    shards: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    lines: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    items: dict[str, Item] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=set)

    def add(
        self,
        source: str,
        picture: Picture,
        *,
        edit: str = "original",
        label: str = "",
        data: bytes | None = None,
        ext: str | None = None,
        image: Image.Image | None = None,
        size: tuple[int, int] | None = None,
        rating: str = "general",
        title: str | None = None,
        tags: tuple[str, ...] = (),
        artist: str | None = None,
        created: datetime | None = None,
        post_id: str | None = None,
        page: tuple[int, int] = (0, 1),
        raw: Mapping[str, object] | None = None,
        absent: tuple[str, ...] = (),
        stored: bool = True,
        recorded: bool = True,
        hashed_name: bool = False,
        asset_type: str = "image",
    ) -> Item:
        """Put one rendition of a picture into a source and return what was put.

        `data` (with `ext`) or `image` replace the rendition; `raw` overrides fields of the record
        as worded by the crawler, `absent` removes some; `stored` and `recorded` leave out the
        image or the record. Raises ValueError when the key is taken.
        """
        name = f"{source}/{picture.name}/{label}"
        first = FIRST.get(source, draw.FIRST_DAY)
        created = created or draw.moment(first, "created", name)
        number = post_id or records.post_id(source, created, name)
        rendition = image or images.render(picture, edit, name)
        kind = ext or EXT.get(source) or ("png" if draw.unit("ext", name) < 0.15 else "jpg")
        body = data if data is not None else images.encode(rendition, kind, edit)
        artist = artist or picture.artist
        scene = ("white_background", "simple_background") if picture.plain_background else ()
        post = records.Post(
            name=name,
            id=number,
            title=title or picture.title,
            tags=(*picture.tags, *scene, *tags),
            artist=artist,
            character=picture.character,
            copyright=picture.copyright,
            created=created,
            rating=rating,
            size=size or rendition.size,
            ext=kind,
            md5=hashlib.md5(body).hexdigest(),
            bytes=len(body),
            page=page[0],
            pages=page[1],
            leads_account=source == "twitter" and artist not in self.accounts,
            asset_id=draw.integer(1_000_000, 40_000_000, "asset", name),
            asset_type=asset_type,
        )
        if source == "twitter":
            self.accounts.add(artist)
        record = {**records.RECORD[source](post), **(raw or {})}
        for key in absent:
            del record[key]
        item = Item(
            key=_key(source, post),
            source=source,
            id=number,
            ext=kind,
            data=body if stored else b"",
            md5=post.md5 if stored else "",
            created=created,
            record=record if recorded else {},
        )
        if item.key in self.items:
            raise ValueError(f"{item.key} ({name}): the key is taken; give another label")
        self._place(item, _stem(source, post, hashed_name))
        self.items[item.key] = item
        return item

    def _place(self, item: Item, stem: str) -> None:
        text = json.dumps(item.record, ensure_ascii=False, separators=(",", ":"))
        folder = LAYOUT[item.source]
        if item.source in ("danbooru", "yandere"):
            shards = 2 if item.source == "danbooru" else 1
            shard = f"{folder}/{draw.integer(0, shards, 'shard', item.key):06}.tar"
            place, store = self.shards[shard], ""
        else:
            place, store = self.files, folder + "/"
            if item.source != "pixiv":
                store += "images/"
        if item.data:
            place[f"{store}{stem}.{item.ext}"] = item.data
        if not item.record:
            return
        if item.source == "gelbooru":
            half = draw.integer(0, 2, "lines", item.key)
            name = ("posts-000.jsonl.gz", "posts-001.jsonl")[half]
            self.lines[f"{folder}/{name}"].append((item.key, text))
        elif item.source == "twitter":
            self.lines[f"{folder}/tweets.jsonl"].append((item.key, text))
        else:
            place[f"{store}{stem}.json"] = text.encode()

    def write(self, out: Path) -> None:
        """Lay the bucket out below `out`, the same bytes every time."""
        files = dict(self.files)
        for name, rows in self.lines.items():
            body = "".join(f"{text}\n" for _, text in sorted(rows)).encode()
            files[name] = gzip.compress(body, 9, mtime=0) if name.endswith(".gz") else body
        for name, members in self.shards.items():
            files[name] = _tar(members)
        for name, body in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def _tar(members: Mapping[str, bytes]) -> bytes:
    """Return a tar of the members in order of name, with fixed times and owners."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as shard:
        for name, body in sorted(members.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(body), SHARD_TIME
            shard.addfile(info, io.BytesIO(body))
    return file.getvalue()


def _key(source: str, post: records.Post) -> str:
    """The `image_key`: made of what the file name says, thus of ArtStation's `hash_id`."""
    suffix = {"pixiv": f"_p{post.page}", "twitter": f"_{post.page + 1}"}.get(source, "")
    if source == "artstation":
        return f"{source}/{records.artstation_hash(post.id)}_{post.asset_id}"
    return f"{source}/{post.id}{suffix}"


def _stem(source: str, post: records.Post, hashed: bool) -> str:
    """Return the file name that the crawler of the source gives, without its suffix."""
    slug = records.booru_name(post.title)
    tag = f"-{draw.digest('name', post.id)[:32]}" if hashed else ""
    return {
        "pixiv": f"{post.id}{tag}_p{post.page}",
        "danbooru": post.id,
        "gelbooru": f"gelbooru_{post.id}_{post.md5}",
        "yandere": f"yandere_{post.id}_{post.md5}",
        "twitter": f"{post.id}_{post.page + 1}",
        "artstation": f"{records.artstation_hash(post.id)}_{post.asset_id}_{slug}",
    }[source]
