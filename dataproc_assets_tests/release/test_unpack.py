import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import tomllib
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from dataproc_assets.release.extract import UnpackError, extract
from dataproc_assets.release.extract import replace as write_whole
from dataproc_assets.release.manifest import FileEntry, Manifest, read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.tars import Sample, write_tar
from dataproc_assets.release.unpack import Unpacked, unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import LATENTS, run, tree, with_latents
from dataproc_assets_tests.stores import copied


@pytest.fixture
def store(released, tmp_path) -> ObjectStore:
    """A copy of it."""
    return copied(released, ObjectStore(str(tmp_path / "store")))


def write(store: ObjectStore, folder: Path, **changes) -> Unpacked:
    return unpack(plan_unpack(store, "small", **changes), folder)


def files(folder: Path) -> dict[str, bytes]:
    """What of a folder does not name the folder."""
    kept = {path: data for path, data in tree(folder).items() if path.startswith("images/")}
    return kept | {
        "metadata.json": (folder / "metadata.json")
        .read_bytes()
        .replace(str(folder.resolve()).encode(), b"")
    }


def manifest_of(store: ObjectStore, kind: str = "releases") -> Manifest:
    manifest = read_manifest(store, f"{kind}/small")
    assert manifest is not None
    return manifest


def first_tar(store: ObjectStore, kind: str = "releases") -> tuple[str, str]:
    """A tar's path in the manifest, and below the storage root."""
    manifest = manifest_of(store, kind)
    path = next(path for path in manifest.files if path.endswith(".tar"))
    return path, f"{manifest.root}/{path}"


def publish_tar(store: ObjectStore, add) -> None:
    """Put another first tar into the release, of which the manifest has the digest."""
    path, full = first_tar(store)
    local = Path(store.url) / "made.tar"
    shutil.copy(store.uri(full), local)
    with tarfile.open(local, "a") as archive:
        add(archive)
    store.put_file(full, local)
    manifest = manifest_of(store)
    data = local.read_bytes()
    entry = FileEntry(hashlib.sha256(data).hexdigest(), len(data), manifest.files[path].rows)
    changed = replace(manifest, files=manifest.files | {path: entry})
    store.put("releases/small/manifest.json", changed.to_json())


def test_unpacked_as_sd_scripts_reads_it(released, tmp_path):
    done = write(released, tmp_path / "unpacked", recipe="illustrious")
    images = tmp_path / "unpacked" / "images"
    entries = json.loads((tmp_path / "unpacked" / "metadata.json").read_text("utf-8"))
    train = read_train(released, "small")
    assert (done.images, done.latents, len(entries)) == (9, 9, 9)
    assert len(list(images.iterdir())) == 27
    for row in train.iter_rows(named=True):
        image = images / row["file_name"]
        assert Image.open(image).size == (row["width"], row["height"])
        assert entries[str(image)]["caption"] == row["prompts__illustrious"][0]
        assert entries[str(image)]["image_size"] == [row["width"], row["height"]]
        assert image.with_suffix(".txt").read_text("utf-8") == f"{row['prompts__illustrious'][0]}\n"
        size = f"{row['width']:04d}x{row['height']:04d}"
        with np.load(images / f"{row['image_id']}_{size}_sdxl.npz", allow_pickle=False) as cached:
            shape = (4, row["bucket_height"] // 8, row["bucket_width"] // 8)
            assert cached["latents"].shape == shape
            assert cached["latents"].dtype == np.float32
            assert cached["original_size"].tolist() == [row["width"], row["height"]]
            assert cached["crop_ltrb"].shape == (4,)
    (dataset,) = tomllib.loads(done.toml.read_text("utf-8"))["datasets"]
    assert dataset["resolution"] == [128, 128]
    assert dataset["bucket_reso_steps"] == 32
    (subset,) = dataset["subsets"]
    assert Path(subset["image_dir"]) == images
    assert json.loads(Path(subset["metadata_file"]).read_bytes()) == entries
    assert "only a model of that VAE can train on them" in done.cautions[0]


def test_the_latents_are_those_of_the_release(released, tmp_path):
    write(released, tmp_path)
    manifest = manifest_of(released, "latents")
    seen = 0
    for path in manifest.files:
        if path.endswith(".tar"):
            with tarfile.open(released.uri(f"{manifest.root}/{path}")) as archive:
                for member in archive:
                    if member.name.endswith(".latent.npy"):
                        stem = member.name.partition(".")[0]
                        content = archive.extractfile(member)
                        assert content is not None
                        latent = np.load(BytesIO(content.read()))
                        (cache,) = (tmp_path / "images").glob(f"{stem}_*_sdxl.npz")
                        with np.load(cache) as cached:
                            assert (cached["latents"] == latent).all()
                        seen += 1
    assert seen == 9


def test_two_unpacks_give_the_same_bytes_from_a_folder_and_from_s3(released, s3_url, tmp_path):
    remote = ObjectStore(s3_url)
    for path, data in tree(Path(released.url)).items():
        if path.startswith(("releases/", "latents/")):
            remote.put(path, data)
    write(released, tmp_path / "one")
    unpack(plan_unpack(remote, "small"), tmp_path / "two", threads=1)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_without_latents_no_buckets_are_told(released, tmp_path):
    done = write(released, tmp_path, latents=False)
    assert (done.images, done.latents, done.cautions) == (9, 0, [])
    assert not list((tmp_path / "images").glob("*.npz"))
    assert "resolution" not in tomllib.loads(done.toml.read_text("utf-8"))["datasets"][0]
    again = write(released, tmp_path)
    assert again.latents == 9
    assert "resolution" in tomllib.loads(again.toml.read_text("utf-8"))["datasets"][0]


def test_each_split_is_a_folder_of_its_own(tmp_path, crawl):
    store = ObjectStore(str(tmp_path / "store"))
    config = release_config(splits={"train": 0.5, "validation": 0.5}, latents=LATENTS)
    with_latents(store, crawl, tmp_path, config)
    rows = read_train(store, "small")
    for split in config.splits:
        done = write(store, tmp_path / split, split=split)
        expected = rows.filter(split=split)
        assert expected.height and done.images == done.latents == expected.height
        images = {path.name for path in (tmp_path / split / "images").iterdir()}
        assert set(expected["file_name"]) <= images and len(images) == 3 * expected.height
        assert done.toml.read_text("utf-8").splitlines()[0].endswith(f"{split}, by animagine")
    with pytest.raises(UnpackError, match="holds the split validation of release"):
        write(store, tmp_path / "validation")


def test_what_is_there_is_not_read_again(store, tmp_path):
    write(store, tmp_path / "unpacked")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "unpacked").rglob("images/*")}
    plan = plan_unpack(store, "small")
    for manifest, path in plan.shards():
        store.delete(f"{manifest.root}/{path}")
    told = []
    unpack(plan, tmp_path / "unpacked", seen=told.append)
    assert sum(told) == plan.bytes()
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_changed_and_a_lost_file_come_back_and_the_rest_is_left(released, tmp_path):
    write(released, tmp_path)
    whole = files(tmp_path)
    images = sorted((tmp_path / "images").glob("*.npz"))
    images[0].write_bytes(b"half")
    images[1].unlink()
    next((tmp_path / "images").glob("*.txt")).write_bytes(b"other")
    times = {path: path.stat().st_mtime_ns for path in images[2:]}
    write(released, tmp_path)
    assert files(tmp_path) == whole
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_another_recipe_in_the_same_folder_rewrites_the_prompts(released, tmp_path):
    write(released, tmp_path, recipe="animagine")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").glob("*.npz")}
    done = write(released, tmp_path, recipe="illustrious")
    assert all(
        path.read_text("utf-8").startswith("illustrious")
        for path in (tmp_path / "images").glob("*.txt")
    )
    assert done.toml.read_text("utf-8").splitlines()[0].endswith("train, by illustrious")
    assert times == {path: path.stat().st_mtime_ns for path in times}


KILLED = """
import os, signal, sys
from pathlib import Path
from dataproc_assets.release.unpack import unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore

left = int(sys.argv[3])

def seen(size):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

unpack(plan_unpack(ObjectStore(sys.argv[1]), "small"), Path(sys.argv[2]), threads=2, seen=seen)
"""


@pytest.mark.parametrize("pieces", [0, 3, 8])
def test_a_killed_unpack_leaves_nothing_half_written_and_goes_on(released, tmp_path, pieces):
    write(released, tmp_path / "whole")
    whole = files(tmp_path / "whole")
    arguments = [released.url, str(tmp_path / "killed"), str(pieces)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = tree(tmp_path / "killed")
    visible = {path: data for path, data in left.items() if not path.startswith(".unpack/")}
    assert visible.items() <= whole.items()
    assert (pieces > 3) <= bool(visible)
    write(released, tmp_path / "killed")
    assert files(tmp_path / "killed") == whole
    notes = list((tmp_path / "killed" / ".unpack").iterdir())
    assert all(path.is_file() and path.suffix in (".json", "") for path in notes)


def test_what_a_killed_process_left_of_a_file_is_written_over(tmp_path):
    (tmp_path / ".a.txt.half").write_bytes(b"left by a killed process")
    write_whole(tmp_path / "a.txt", b"new")
    assert tree(tmp_path) == {"a.txt": b"new"}


FULL = """
import resource, signal, sys
from pathlib import Path
from dataproc_assets.release.unpack import unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit is then an OSError
plan = plan_unpack(ObjectStore(sys.argv[1]), "small")
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
try:
    unpack(plan, Path(sys.argv[2]))
except OSError as error:
    sys.exit(f"{error}")
"""


def test_a_disk_that_is_full_leaves_nothing_half_written(released, tmp_path):
    arguments = [released.url, str(tmp_path / "full")]
    full = subprocess.run(
        [sys.executable, "-c", FULL, *arguments], capture_output=True, text=True, check=False
    )
    assert full.returncode == 1 and "File too large" in full.stderr
    write(released, tmp_path / "whole")
    whole = files(tmp_path / "whole")
    visible = {p: d for p, d in tree(tmp_path / "full").items() if not p.startswith(".unpack/")}
    assert visible.items() < whole.items()
    write(released, tmp_path / "full")
    assert files(tmp_path / "full") == whole


@pytest.mark.parametrize("kind", ["releases", "latents"])
@pytest.mark.parametrize("place", [0, 700, -1])
def test_one_other_byte_in_a_tar_is_found_and_nothing_of_it_kept(store, tmp_path, kind, place):
    _, full = first_tar(store, kind)
    with tarfile.open(store.uri(full)) as archive:
        stems = {name.partition(".")[0] for name in archive.getnames()}
    data = bytearray(store.get(full))
    data[place] ^= 1
    store.put(full, bytes(data))
    with pytest.raises(UnpackError, match="its bytes are not those that were published"):
        write(store, tmp_path / "unpacked")
    folder = tmp_path / "unpacked"
    suffixes = (".npz",) if kind == "latents" else (".png", ".jpg", ".webp")
    kept = [path for path in (folder / "images").iterdir() if path.suffix in suffixes]
    assert not [path for path in kept if path.name.partition(".")[0].partition("_")[0] in stems]
    assert not (folder / "dataset.toml").exists()
    assert not [path for path in (folder / ".unpack").iterdir() if path.is_dir()]


def test_a_table_that_was_changed_is_refused(store, tmp_path):
    path = f"{manifest_of(store).root}/train.parquet"
    store.put(path, store.get(path) + b" ")
    with pytest.raises(UnpackError, match=r"train\.parquet is not what was published"):
        write(store, tmp_path / "unpacked")


@pytest.mark.parametrize("name", ["../evil.png", "/tmp/evil.png", "evil.png", "a/../../evil.png"])
def test_no_member_gets_out_of_the_folder_or_in_unasked(store, tmp_path, name):
    def add(archive):
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, BytesIO(b"evil"))

    publish_tar(store, add)
    with pytest.raises(UnpackError, match=r"evil\.png' of a shard is not in the release's table"):
        write(store, tmp_path / "unpacked")
    assert not list(tmp_path.rglob("evil.png"))


def test_a_link_is_no_member(store, tmp_path):
    def add(archive):
        member = tarfile.TarInfo(read_train(store, "small")["file_name"][0])
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)

    publish_tar(store, add)
    with pytest.raises(UnpackError, match="of a shard is no file"):
        write(store, tmp_path / "unpacked")
    assert not [path for path in (tmp_path / "unpacked").rglob("*") if path.is_symlink()]


def test_a_shard_that_is_left_out_of_the_manifest_is_missed(store, tmp_path):
    manifest = manifest_of(store)
    path, _ = first_tar(store)
    left = {other: entry for other, entry in manifest.files.items() if other != path}
    store.put("releases/small/manifest.json", replace(manifest, files=left).to_json())
    with pytest.raises(UnpackError, match="3 files of release 'small' are in no shard"):
        write(store, tmp_path / "unpacked")


def test_a_tar_is_never_in_memory_as_a_whole(tmp_path):
    store = ObjectStore(str(tmp_path / "store"))
    samples = (Sample(f"{number}", [("png", os.urandom(1 << 20))]) for number in range(96))
    (tmp_path / "store").mkdir()
    made = write_tar(tmp_path / "store" / "big.tar", samples)
    entry = FileEntry(made.sha256, made.size, made.rows)
    (tmp_path / "images").mkdir()
    tracemalloc.start()
    try:
        names = extract(
            store,
            "big.tar",
            entry,
            tmp_path / "images",
            tmp_path / "notes",
            lambda members: iter(members),
            lambda _: None,
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(names) == 96
    assert peak < made.size / 2


def test_latents_of_another_release_of_that_name_are_refused(store, tmp_path):
    manifest = manifest_of(store, "latents")
    store.put("latents/small/manifest.json", replace(manifest, inputs={"release": "0"}).to_json())
    with pytest.raises(UnpackError, match="is of another release of the name 'small'"):
        write(store, tmp_path / "unpacked")
    assert write(store, tmp_path / "unpacked", latents=False).images == 9


def test_images_whose_latent_failed_are_told(store, tmp_path):
    manifest = manifest_of(store, "latents")
    lost = read_train(store, "small")["image_id"][0]
    counts = manifest.counts | {"failed": {lost: "truncated"}}
    store.put("latents/small/manifest.json", replace(manifest, counts=counts).to_json())
    assert f"1 images have no latent (first: {lost})" in write(store, tmp_path / "out").cautions[1]


def test_a_folder_of_something_else_is_left_as_it_is(store, released, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "metadata.json").write_text("{}")
    with pytest.raises(UnpackError, match="mine holds other files: name a new folder"):
        write(released, tmp_path / "mine")
    assert tree(tmp_path / "mine") == {"metadata.json": b"{}"}
    write(released, tmp_path / "unpacked")
    whole = tree(tmp_path / "unpacked")
    store.put(
        "releases/small/manifest.json", replace(manifest_of(store), digest="1" * 64).to_json()
    )
    with pytest.raises(UnpackError, match="holds the split train of release"):
        write(store, tmp_path / "unpacked", latents=False)
    assert tree(tmp_path / "unpacked") == whole


def test_two_at_once_in_one_folder(released, tmp_path):
    def seen(_):
        with pytest.raises(UnpackError, match="another unpack is at work"):
            write(released, tmp_path)

    assert unpack(plan_unpack(released, "small"), tmp_path, seen=seen).images == 9


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"recipe": "other"}, "no recipe 'other': animagine, illustrious"),
        ({"split": "other"}, "no split 'other': train"),
        ({"split": "../train"}, "no split"),
    ],
)
def test_what_is_not_in_the_release_is_named_with_what_is(released, asked, said):
    with pytest.raises(UnpackError, match=said):
        plan_unpack(released, "small", **asked)


def test_a_release_without_tars_or_none_at_all(tmp_path, crawl):
    store = ObjectStore(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="'small' is not published"):
        plan_unpack(store, "small")
    run(store, crawl, release_config(formats=["parquet"]))
    with pytest.raises(UnpackError, match=r"has no tars.*'webdataset' among its formats"):
        plan_unpack(store, "small")


def test_a_release_without_sd_scripts_metadata_can_be_unpacked(tmp_path, crawl):
    store = ObjectStore(str(tmp_path / "store"))
    run(store, crawl, release_config(formats=["parquet", "webdataset"]))
    done = write(store, tmp_path / "unpacked")
    assert done.images == 9
    assert done.cautions[0].startswith("no latents are published of this release")


@contextmanager
def cutting_server(folder: Path, cuts: int) -> Iterator[tuple[str, list[str]]]:
    """An S3 that only gives objects, and closes the connection in the middle of the first tars."""
    cut: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = folder / unquote(self.path).removeprefix("/bucket/")
            data = path.read_bytes() if path.is_file() else b""
            if "list-type=2" in self.path:  # nothing is listed there: no revocation
                data = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
            start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
            self.send_response(206 if start else 200 if data else 404)
            self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if path.suffix == ".tar" and len(cut) < cuts:
                cut.append(self.path)
                self.wfile.write(data[start : start + (len(data) - start) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            else:
                self.wfile.write(data[start:])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests want no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", cut
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_connections_that_break_in_the_middle_are_outlived(released, tmp_path, monkeypatch):
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    write(released, tmp_path / "whole")
    with cutting_server(Path(released.url), 3) as (url, cut):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        write(ObjectStore("s3://bucket"), tmp_path / "cut")
    assert len(cut) == 3
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
