"""A small world of real pictures in three sources, with everything that a gallery can show."""

import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from PIL import Image, ImageDraw

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.gallery import GalleryTables
from dataproc_assets.storage.objects import ObjectStore

CONF = Path(__file__).parents[2] / "dataproc_assets" / "conf"
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>\x07"


def png(number: int, side: int = 40) -> bytes:
    image = Image.new("RGB", (side, side * 2), (number * 37 % 256, number * 91 % 256, 120))
    ImageDraw.Draw(image).ellipse((4, 4, 10 + number % 20, 30), fill=(255, number % 256, 0))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class MemoryPicture:
    """A picture decoded from bytes in memory."""

    image: Image.Image
    sha256: str


@dataclass
class Memory:
    """An in-memory crawl; `reads` has the addresses that were asked for."""

    files: dict[str, bytes]
    reads: list[str] = field(default_factory=list)

    def __call__(self, uri: str, offset: int | None, length: int | None) -> MemoryPicture:
        self.reads.append(uri)
        data = self.files[uri]
        if offset is not None and length is not None:
            data = data[offset : offset + length]
        with Image.open(BytesIO(data)) as image:
            return MemoryPicture(image.convert("RGB"), digest(data))


@dataclass(frozen=True)
class World:
    tables: GalleryTables
    read: Memory
    digests: dict[str, str]  # of the content, by key


def row(key: str, data: bytes | None, **values: object) -> dict[str, object]:
    return {
        "image_key": key, "source": key.split("/")[0], "keep": True, "drop_reason": None,
        "drop_reasons": [], "intake_drops": [], "rating": "general", "tier": "best",
        "tier_percentile": 80.0, "tier_reason": None, "title": f"title of {key}",
        "tags_general": ["1girl"],
        "pixels_sha256": digest(data) if data else None, "pixels_width": 40, "pixels_height": 80,
        "clip_score": 1.5, "year": 2021,
    } | values  # fmt: skip


def make_world() -> World:
    """Keys say what they are: `…/plain1`, `…/dropped1`, `…/optedout`, `…/quarantined`, …"""
    names = [
        *[f"pixiv/plain{n}" for n in range(6)],
        *[f"danbooru/plain{n}" for n in range(4)],
        *[f"pixiv/dropped{n}" for n in range(9)],
        "danbooru/twin", "danbooru/quarantined", "pixiv/optedout", "twitter/takendown",
        "pixiv/flagged", "pixiv/unjudged", "pixiv/intake", "pixiv/lowscore",
    ]  # fmt: skip
    data = {name: png(number) for number, name in enumerate(names)}
    data["danbooru/quarantinedcopy"] = data["danbooru/quarantined"]
    files = {f"mem:/{name}": content for name, content in data.items()}
    files["mem:/shard.tar"] = b"x" * 512 + data["pixiv/plain0"] + b"y" * 100
    special: dict[str, dict[str, object]] = {
        "pixiv/plain1": {"title": HOSTILE, "tags_general": [HOSTILE]},
        "pixiv/plain2": {"rating": "explicit"},
        "pixiv/optedout": {"keep": False, "drop_reason": "clip_score",
                           "drop_reasons": ["clip_score", "opt_out: artist Secret Person"]},
        "twitter/takendown": {"keep": False, "drop_reason": "takedown",
                              "drop_reasons": ["takedown"]},
        "pixiv/intake": {"keep": False, "drop_reason": "too_young",
                         "drop_reasons": ["too_young"], "intake_drops": ["takedown"]},
        "pixiv/lowscore": {"keep": False, "drop_reason": f"odd {HOSTILE}",
                           "drop_reasons": [f"odd {HOSTILE}"]},
    } | {
        f"pixiv/dropped{n}": {"keep": False, "drop_reason": "clip_score",
                              "drop_reasons": ["clip_score"], "tier": None}
        for n in range(9)
    }  # fmt: skip
    rows = [row(key, content, **special.get(key, {})) for key, content in data.items()]
    tables = GalleryTables(
        augmented=pl.DataFrame(rows, infer_schema_length=None),
        flags=_flags(list(data)),
        cosine=0.97,
        addresses=_addresses(list(data), len(data["pixiv/plain0"])),
        edges=EDGES,
        members=_members(),
        images=_images(data),
        sanitized={"animagine": SANITIZED, "noob": SANITIZED.with_columns(keep=pl.lit(True))},
        funnel=pl.DataFrame(
            {
                "stage": ["inventory", "inventory", "curation", "curation", "images"],
                "source": ["danbooru", "pixiv", "danbooru", "pixiv", None],
                "rows": [7, 17, 7, 17, 16],
                "kept": [7, 17, 7, 6, 11],
            }
        ),
        quarantined=pl.DataFrame({"image_key": ["danbooru/quarantined"], "rule": ["never_tags"]}),
        previews=pl.DataFrame(
            {
                "sha256": [digest(data["pixiv/plain0"]), digest(data["danbooru/quarantined"])],
                "psnr": [31.25, 12.5],
                "preview": [b"RIFF preview of plain", b"RIFF preview of quarantined"],
            }
        ),
        releases=[RELEASE],
        drawn=_drawn(),
        denoisers=[DENOISER],
    )
    return World(tables, Memory(files), {key: digest(content) for key, content in data.items()})


EDGES = pl.DataFrame(
    {
        "a": ["danbooru/plain0", "pixiv/plain2", "danbooru/plain1", "danbooru/plain2",
              "danbooru/quarantined"],
        "b": ["danbooru/twin", "pixiv/plain3", "pixiv/plain4", "pixiv/plain5",
              "pixiv/plain5"],
        "cosine": [0.9912, 0.9701, 0.9699, 0.5, 0.98],
        "phash_distance": [2, 17, 5, 30, 20],
        "detail_distance": [40, None, None, None, None],
        "evidence": [["cosine_phash"], [], ["source_url"], ["pixiv_link"], []],
        "kind": ["duplicate", "variant", "duplicate", "link_mismatch", "variant"],
    }
)  # fmt: skip
IMAGE_KEYS = ["pixiv/plain0", "pixiv/plain1", "pixiv/plain2", "danbooru/plain0",
              "danbooru/quarantined", "pixiv/optedout"]  # fmt: skip
SANITIZED = pl.DataFrame(
    {
        "image_id": [f"{n:032d}" for n in range(6)],
        "variant": [0] * 6,
        "prompt": ["plain prompt", HOSTILE, "third", "fourth", "quarantined words", "secret words"],
        "tokens": [3] * 6,
        "keep": [True, True, False, True, False, False],
        "drop_reason": [None, None, "content", None, "never_tags", "opt_out"],
        "drop_reasons": [[], [], ["content"], [], ["never_tags"], ["opt_out"]],
    }
)
RELEASE = {
    "name": "demo",
    "root": "releases/demo/0123",
    "digest": "ab" * 32,
    "config": {"title": "Demo <b>release</b>"},
    "code_version": "0.1.0",
    "counts": {
        "images": 3, "prompts": 6, "bytes": 1234567, "sources": {"pixiv": 2, "danbooru": 1},
        "artists": {"Secret Person": 1},
        "funnel": [{"name": "rating in general", "before": 4, "after": 3}],
    },
    "files": {"train.parquet": {"sha256": "cd" * 32, "size": 2048, "rows": 3}},
}  # fmt: skip

GAIN = {"mean": 0.002, "standard_error": 0.0005, "z": 4.0}
DENOISER = {
    "name": "demo",
    "digest": "ef" * 32,
    "config": {"folds": 4, "steps": 800},
    "counts": {
        "images": 236, "shuffles": 99, "p": 0.01, "over_shuffled": GAIN, "over_none": GAIN,
        "loss": {"true": 0.91234, "shuffled": 0.92345, "none": 0.93456},
    },
    "curve": [(400, 1.5), (800, 1.0)],
    "held_out_loss": 0.9,
}  # fmt: skip


def _drawn() -> pl.DataFrame:
    """Of two images that may be shown, one with a hostile prompt, and of a quarantined one."""
    prompts = {0: "plain prompt", 1: HOSTILE, 4: "quarantined words"}
    rows = [
        (f"{number:032d}", "demo", prompt, guidance, f"RIFF drawn {prompt} {guidance}".encode())
        for number, prompt in prompts.items()
        for guidance in (0.0, 1.0, 4.0)
    ]
    schema = ["image_id", "release", "prompt", "guidance", "picture"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _addresses(keys: list[str], length: int) -> pl.DataFrame:
    in_tar = pl.col("image_key") == "pixiv/plain0"
    return pl.DataFrame({"image_key": keys}).with_columns(
        uri=pl.when(in_tar).then(pl.lit("mem:/shard.tar")).otherwise("mem:/" + pl.col("image_key")),
        offset=pl.when(in_tar).then(pl.lit(512, pl.Int64)),
        length=pl.when(in_tar).then(pl.lit(length, pl.Int64)),
    )


def _flags(keys: list[str]) -> pl.DataFrame:
    flags = {"pixiv/flagged": ["poor_content", "opt_out"], "pixiv/plain3": ["poor_content", "ai"]}
    judged = [key for key in keys if key != "pixiv/unjudged"]
    return pl.DataFrame(
        {"image_key": judged, "flags": [flags.get(key, []) for key in judged]},
        schema={"image_key": pl.String, "flags": pl.List(pl.String)},
    )


def _members() -> pl.DataFrame:
    singles = ["pixiv/plain0", "pixiv/plain1", "pixiv/plain2", "danbooru/quarantined"]
    keys = [*singles, "danbooru/plain0", "danbooru/twin"]
    stands = [*singles, "danbooru/plain0", "danbooru/plain0"]
    return pl.DataFrame(
        {
            "image_key": keys,
            "source": [key.split("/")[0] for key in keys],
            "component": stands,
            "representative": stands,
            "role": ["representative"] * 5 + ["duplicate"],
        }
    )


def _images(data: dict[str, bytes]) -> pl.DataFrame:
    members = [[key] for key in IMAGE_KEYS]
    members[3] = ["danbooru/plain0", "danbooru/twin"]
    tag = {"tag": "1girl", "category": "general", "confidence": 0.99, "sources": ["pixiv"]}
    return pl.DataFrame(
        {
            "image_id": [f"{n:032d}" for n in range(6)],
            "representative": IMAGE_KEYS,
            "members": members,
            "sources": [[key.split("/")[0]] for key in IMAGE_KEYS],
            "sha256": [digest(data[key]) for key in IMAGE_KEYS],
            "rating": ["general", "general", "general", "questionable", "explicit", "general"],
            "opt_out": [False, False, False, False, False, True],
            "title": [f"title of {key}" for key in IMAGE_KEYS],
            "caption": ["a caption", HOSTILE, None, None, "quarantined caption", "secret caption"],
            "tier": ["best"] * 6,
            "tags": [[tag]] * 6,
        }
    )


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def config() -> GalleryConfig:
    return read_yaml(CONF / "gallery.yaml", GalleryConfig)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(str(tmp_path / "store"))


def files(store: ObjectStore) -> dict[str, bytes]:
    """Every file of the gallery, by its path below the gallery's folder."""
    paths = store.list("gallery")["path"]
    return {path.removeprefix("gallery/"): store.get(path) for path in paths}
