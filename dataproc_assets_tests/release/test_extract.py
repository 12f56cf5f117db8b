import os
import tarfile
import tracemalloc
from io import BytesIO

import pytest

from dataproc_assets.release.extract import UnpackError, extract
from dataproc_assets.release.extract import replace as write_whole
from dataproc_assets.release.manifest import FileEntry
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.tars import Sample, write_tar
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.making import tree
from dataproc_assets_tests.release.unpacking import first_tar, publish_tar, write
from dataproc_assets_tests.stores import copied


@pytest.fixture
def store(released, tmp_path) -> ObjectStore:
    """A copy of it."""
    return copied(released, ObjectStore(str(tmp_path / "store")))


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


def test_what_a_killed_process_left_of_a_file_is_written_over(tmp_path):
    (tmp_path / ".a.txt.half").write_bytes(b"left by a killed process")
    write_whole(tmp_path / "a.txt", b"new")
    assert tree(tmp_path) == {"a.txt": b"new"}
