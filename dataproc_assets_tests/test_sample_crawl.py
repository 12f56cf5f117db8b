"""The committed sample crawl: whole, readable, and what its ground truth says of it."""

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import PIL
import pytest
import yaml
from PIL import Image, ImageFile

HERE = Path(__file__).parent.parent / "sample_crawl"
CRAWL = HERE / "crawl"
IMAGE = re.compile(r"\.(webp|jpg|png|gif)$")
BAD_LINES = 1


def native_key(source: str, record: dict[str, Any]) -> str:
    if source == "artstation":
        return f"artstation/{record['hash_id']}_{record['asset']['id']}"
    if source == "twitter":
        return f"twitter/{record['tweet_id']}_{record['num']}"
    suffix = f"_p{record['num']}" if source == "pixiv" else ""
    return f"{source}/{record['id']}{suffix}"


def source_of(path: str) -> str:
    return path.split("/")[0].split("-", 1)[1]


def image_key(path: str) -> str:
    """The key that a file name gives; ArtStation names carry the project's short code."""
    source, stem = source_of(path), Path(path).stem
    if source == "pixiv":
        return "pixiv/" + re.sub(r"-[0-9a-f]{32}", "", stem)
    if source == "twitter":
        return f"twitter/{stem}"
    if source == "artstation":
        code, asset = stem.split("_")[:2]
        return f"artstation/{code}_{asset}"
    return f"{source}/{stem if source == 'danbooru' else stem.split('_')[1]}"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Every file of the bucket, tars opened: path -> bytes."""
    found: dict[str, bytes] = {}
    for path in sorted(p for p in CRAWL.rglob("*") if p.is_file()):
        name = path.relative_to(CRAWL).as_posix()
        if path.suffix != ".tar":
            found[name] = path.read_bytes()
            continue
        with tarfile.open(path) as shard:
            for member in shard:
                body = shard.extractfile(member)
                assert body is not None
                found[f"{name}/{member.name}"] = body.read()
    return found


@pytest.fixture(scope="module")
def records(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    bad = 0
    for path, body in files.items():
        if not re.search(r"\.json$|\.jsonl(\.gz)?$", path):
            continue
        text = gzip.decompress(body) if path.endswith(".gz") else body
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                bad += 1
                continue
            if not isinstance(record.get("tweet_id", 0), float):
                key = native_key(source_of(path), record)
                assert key not in found, f"{key} has two records"
                found[key] = record
    assert bad == BAD_LINES
    return found


@pytest.fixture(scope="module")
def images(files: dict[str, bytes]) -> dict[str, bytes]:
    return {image_key(path): body for path, body in files.items() if IMAGE.search(path)}


@pytest.fixture(scope="module")
def truth() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((HERE / "ground_truth.yaml").read_text(encoding="utf-8"))["classes"]


def keys_of(entry: dict[str, Any]) -> list[str]:
    keys = list(entry.get("keys", [])) + list(entry.get("kept", []))
    for group in entry.get("groups", []):
        keys += group.get("keys", []) + [member["key"] for member in group.get("members", [])]
    return keys


def test_the_bucket_is_small_and_has_images_of_six_sources(
    files: dict[str, bytes], images: dict[str, bytes]
) -> None:
    assert sum(p.stat().st_size for p in CRAWL.rglob("*") if p.is_file()) <= 11 * 1024 * 1024
    assert len({hashlib.md5(body).digest() for body in images.values()}) >= 240
    counts = Counter(key.split("/")[0] for key in images)
    least = {
        "pixiv": 70, "danbooru": 70, "gelbooru": 45, "yandere": 35, "twitter": 35, "artstation": 25,
    }  # fmt: skip
    assert {source: counts[source] >= number for source, number in least.items()} == dict.fromkeys(
        least, True
    )
    assert len(images) == sum(1 for path in files if IMAGE.search(path)), "two images, one key"


def test_every_key_of_the_truth_has_its_image_and_its_record(
    truth: dict[str, dict[str, Any]],
    files: dict[str, bytes],
    images: dict[str, bytes],
    records: dict[str, dict[str, Any]],
) -> None:
    for name, entry in truth.items():
        assert entry["what"] and entry["expect"], name
        assert keys_of(entry) or entry["paths"], name
        for key in keys_of(entry):
            assert (key in images) == (name != "record_without_image"), (name, key)
            assert (key in records) == (name != "image_without_record"), (name, key)
        for path in entry.get("paths", []):
            assert path in files, path


def test_only_the_named_keys_lack_an_image_or_a_record(
    truth: dict[str, dict[str, Any]],
    images: dict[str, bytes],
    records: dict[str, dict[str, Any]],
) -> None:
    assert set(records) - set(images) == set(truth["record_without_image"]["keys"])
    assert set(images) - set(records) == set(truth["image_without_record"]["keys"])


def test_only_the_named_images_are_broken(
    truth: dict[str, dict[str, Any]], images: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000_000)
    broken = set()
    for key, body in images.items():
        try:
            with Image.open(io.BytesIO(body)) as image:
                image.load()
        except (OSError, Image.DecompressionBombError):
            broken.add(key)
    expected = [*truth["corrupt"]["keys"], *truth["truncated"]["keys"], *truth["bomb"]["keys"]]
    assert broken == set(expected)
    assert len(images[truth["bomb"]["keys"][0]]) < 200_000


def test_odd_images_are_what_the_truth_says(
    truth: dict[str, dict[str, Any]], images: dict[str, bytes]
) -> None:
    def opened(name: str, index: int = 0) -> Image.Image:
        return Image.open(io.BytesIO(images[truth[name]["keys"][index]]))

    turned = opened("exif_rotated")
    assert turned.getexif()[0x0112] == 6
    assert turned.size == (truth["exif_rotated"]["height"], truth["exif_rotated"]["width"])
    assert {opened("transparent", index).mode for index in (0, 1)} == {"RGBA"}
    assert getattr(opened("animated_gif"), "n_frames", 1) == 4
    assert opened("low_pixels").size == (96, 96)
    assert opened("extreme_aspect").size == (1200, 150)


def test_cross_posts_cover_every_kind_and_most_have_no_link(
    truth: dict[str, dict[str, Any]], images: dict[str, bytes]
) -> None:
    groups = truth["cross_posts"]["groups"]
    assert len(groups) >= 24
    links = Counter(group["link"] for group in groups)
    assert links["none"] > len(groups) / 2
    assert {"pixiv_id", "source_url", "md5"} <= set(links)
    kinds = Counter(member["kind"] for group in groups for member in group["members"])
    assert min(kinds[kind] for kind in ("recode", "resize", "crop")) >= 5
    for group in groups:
        members = [member["key"] for member in group["members"]]
        assert 2 <= len({key.split("/")[0] for key in members}) == len(members) <= 4
        equal = [m["key"] for m in group["members"] if m["kind"] == "same_bytes"]
        assert all(images[key] == images[group["original"]] for key in equal)


def test_evidence_by_link_is_in_the_records(
    truth: dict[str, dict[str, Any]], records: dict[str, dict[str, Any]]
) -> None:
    for group in truth["cross_posts"]["groups"]:
        first, *others = [member["key"] for member in group["members"]]
        for key in others:
            record = records[key]
            if group["link"] == "pixiv_id" and key.startswith("danbooru"):
                assert record["pixiv_id"] == records[first]["id"]
            elif group["link"] in ("pixiv_id", "source_url"):
                code = records[first].get("hash_id") or first.split("/")[1].split("_")[0]
                assert code in record["source"]
            elif group["link"] == "md5":
                assert record["md5"] == records[first]["md5"]
            else:
                assert not record.get("source")


def test_gelbooru_names_hold_the_md5_of_their_bytes(files: dict[str, bytes]) -> None:
    for path, body in files.items():
        if IMAGE.search(path) and source_of(path) in ("gelbooru", "yandere"):
            assert hashlib.md5(body).hexdigest() == Path(path).stem.split("_")[2], path


def test_the_traps_of_the_formats_are_there(records: dict[str, dict[str, Any]]) -> None:
    by_source: dict[str, list[dict[str, Any]]] = {}
    for key, record in records.items():
        by_source.setdefault(key.split("/")[0], []).append(record)
    assert any("&#039;" in r["tags"] for r in by_source["gelbooru"])
    assert all(r["has_children"] in ("true", "false") for r in by_source["gelbooru"])
    assert all(re.fullmatch(r"\w{3} \w{3} \d\d [\d:]{8} -0500 \d{4}", r["created_at"])
               for r in by_source["gelbooru"])  # fmt: skip
    assert all(isinstance(r["created_at"], int) for r in by_source["yandere"])
    assert any(isinstance(tag, dict) for r in by_source["pixiv"] for tag in r["tags"])
    assert any(r["tweet_id"] > 2**53 for r in by_source["twitter"])
    assert sum(not r.get("file_url") for r in by_source["danbooru"]) == 1


def test_every_ordinary_tweet_passes_the_limits_of_its_account(
    truth: dict[str, dict[str, Any]], records: dict[str, dict[str, Any]]
) -> None:
    tweets = {key: r for key, r in records.items() if key.startswith("twitter/")}
    accounts: dict[str, list[int]] = {}
    for record in tweets.values():
        accounts.setdefault(record["author"]["name"], []).append(record["favorite_count"])
    failing = set()
    for key, record in tweets.items():
        fans = record["author"]["followers_count"]
        image, account = (150, 1000) if fans > 10_000 else (50, 500) if fans > 1_000 else (10, 100)
        best = max(accounts[record["author"]["name"]])
        if record["favorite_count"] < image or best < account:
            failing.add(key)
    low = {key for key in truth["low_engagement"]["keys"] if key.startswith("twitter/")}
    assert failing == low


def test_all_is_older_than_the_crawl_and_spread_over_years(
    records: dict[str, dict[str, Any]],
) -> None:
    text = {key: str(r.get("create_date") or r.get("date") or r["created_at"])
            for key, r in records.items() if not key.startswith("yandere")}  # fmt: skip
    years = Counter(re.search(r"(?:19|20)\d\d", value)[0] for value in text.values())  # pyright: ignore[reportOptionalSubscript]
    assert min(years) >= "2009" and max(years) <= "2026" and len(years) >= 15
    assert all(not re.search(r"2026-1\d|(Oct|Nov|Dec) .* 2026", value) for value in text.values())


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    material = os.environ.get("SAMPLE_CRAWL_MATERIAL")
    if not material:
        pytest.skip("SAMPLE_CRAWL_MATERIAL does not name the folder of the unpacked packages")
    if PIL.__version__ != "13.0.0":
        pytest.skip(f"Pillow is {PIL.__version__}; the committed files are by 13.0.0's encoders")
    from sample_crawl.build import build

    build(Path(material), tmp_path)

    def digests(root: Path) -> dict[str, str]:
        paths = [root / "ground_truth.yaml", *sorted((root / "crawl").rglob("*"))]
        return {
            p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in paths
            if p.is_file()
        }

    assert digests(tmp_path) == digests(HERE)
