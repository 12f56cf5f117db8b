from pathlib import Path

import pytest

from dataproc_assets.release.latent_places import places_in_file, places_in_object
from dataproc_assets.release.tars import Sample, member_header, write_tar
from dataproc_assets.storage.objects import ObjectStore

SAMPLES = [
    Sample(f"image{n}", [("latent.npy", bytes([n]) * (700 * n)), ("json", b"{}"), ("txt", b"a")])
    for n in range(1, 4)
]


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    path = tmp_path / "train-64x64-00000.tar"
    write_tar(path, SAMPLES)
    return path


def test_places_are_those_of_the_bytes_and_of_the_headers_before_them(tar: Path):
    data = tar.read_bytes()
    places = places_in_file(tar)
    assert places["image_id"].to_list() == ["image1", "image2", "image3"]
    for row, sample in zip(places.iter_rows(named=True), SAMPLES, strict=True):
        latent, start = sample.parts[0][1], row["offset"]
        assert data[start : start + row["length"]] == latent
        assert data[start - 512 : start] == member_header(f"{sample.name}.latent.npy", len(latent))


def test_a_stored_tar_has_the_same_places(tar: Path, store: ObjectStore):
    store.put("x/some.tar", tar.read_bytes())
    assert places_in_object(store, "x/some.tar").equals(places_in_file(tar))


def test_a_tar_of_nothing_has_no_places(tmp_path: Path):
    write_tar(tmp_path / "empty.tar", [])
    assert places_in_file(tmp_path / "empty.tar").is_empty()


def test_a_tar_that_is_not_whole_is_named(tar: Path, store: ObjectStore):
    store.put("x/some.tar", tar.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"x/some\.tar: truncated"):
        places_in_object(store, "x/some.tar")
