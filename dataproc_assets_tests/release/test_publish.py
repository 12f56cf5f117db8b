import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
import webdataset
from PIL import Image

from dataproc_assets.release import publish as module
from dataproc_assets.release.build import ReleaseDamagedError, ReleaseExistsError
from dataproc_assets.release.manifest import read_manifest, verify
from dataproc_assets.release.publish import ForbiddenImageError, read_train
from dataproc_assets.release.samples import ChangedImageError
from dataproc_assets.release.select import train_table
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import RECIPES, make_crawl, release_config
from dataproc_assets_tests.release.making import run, tree


def test_two_builds_give_the_same_bytes_whatever_the_row_order(crawl, tmp_path):
    first = run(ObjectStore(str(tmp_path / "a")), crawl)
    table = train_table(crawl.images, crawl.sanitized, release_config()).table
    second = run(
        ObjectStore(str(tmp_path / "b")),
        crawl,
        table=table.reverse(),
        addresses=crawl.addresses.reverse(),
        writers=1,
    )
    assert first.created and second.created
    assert first.digest == second.digest
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_release_is_read_by_polars_and_webdataset(crawl, tmp_path):
    published = run(ObjectStore(str(tmp_path)), crawl)
    root = tmp_path / published.manifest.root
    train = pl.read_parquet(root / "train.parquet")
    shards = sorted(str(path) for path in (root / "webdataset").iterdir())
    assert len(shards) > 1
    assert [Path(shard).name for shard in shards] == [
        f"train-{number:05d}.tar" for number in range(len(shards))
    ]
    samples = [
        (f"webdataset/{Path(shard).name}", sample)
        for shard in shards
        for sample in webdataset.WebDataset(shard, shardshuffle=False)
    ]
    assert [sample["__key__"] for _, sample in samples] == train["image_id"].to_list()
    assert [shard for shard, _ in samples] == train["shard"].to_list()
    for row, (_, sample) in zip(train.iter_rows(named=True), samples, strict=True):
        image = sample[row["file_name"].partition(".")[2]]
        assert Image.open(BytesIO(image)).size == (row["width"], row["height"])
        meta = json.loads(sample["json"])
        assert meta["prompts"] == {recipe: row[f"prompts__{recipe}"] for recipe in RECIPES}
        assert meta["title"] == row["title"]
        assert sample["txt"].decode() == row["prompts__animagine"][0]


def test_images_are_copied_as_they_are(crawl, tmp_path):
    published = run(ObjectStore(str(tmp_path)), crawl)
    originals = {Path(uri).read_bytes() for uri in crawl.addresses["uri"]}
    shards = [
        str(tmp_path / published.manifest.root / f"{path}")
        for path in published.manifest.files
        if path.endswith(".tar")
    ]
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        assert next(sample[ext] for ext in ("png", "jpg", "webp") if ext in sample) in originals


def test_the_same_release_again_is_a_verified_no_op(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    first = run(store, crawl)
    before = store.list()
    again = run(store, crawl, code_version="2")
    assert (again.created, again.digest) == (False, first.digest)
    assert store.list().equals(before)


def test_other_content_under_the_name_says_what_differs_and_what_next(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    run(store, crawl)
    before = tree(tmp_path)
    config = release_config(select={"ratings": ["general"]}, title="Another")
    with pytest.raises(ReleaseExistsError) as caught:
        run(store, crawl, config)
    message = str(caught.value)
    assert "release 'small' is published" in message
    assert "config title: 'A small release' -> 'Another'" in message
    assert "rows: 9 -> 6; 3 gone (first: " in message
    assert "shards differ (first: webdataset/train-00000.tar" in message
    assert "copy conf/releases/small.yaml to a new file" in message
    assert tree(tmp_path) == before


def test_forbidden_rows_stop_it_before_anything_is_written(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    hit = train_table(crawl.images, crawl.sanitized, release_config()).table["image_id"][0]
    with pytest.raises(ForbiddenImageError, match=f"1 of its rows are forbidden .first: {hit}"):
        run(store, crawl, forbidden={hit, "0" * 32})
    assert store.list().is_empty()


def test_an_empty_release_is_refused(crawl, tmp_path):
    with pytest.raises(ValueError, match="release 'small' would be empty"):
        run(ObjectStore(str(tmp_path)), crawl, table=crawl.images.head(0))


def test_an_image_without_an_address_is_refused(crawl, tmp_path):
    with pytest.raises(ValueError, match="images have no address"):
        run(ObjectStore(str(tmp_path)), crawl, addresses=crawl.addresses.head(3))


def test_an_image_that_changed_since_it_was_scored_is_refused(tmp_path):
    crawl = make_crawl(tmp_path / "crawl", 3)
    Path(crawl.addresses["uri"][1]).write_bytes(b"other bytes")
    store = ObjectStore(str(tmp_path / "store"))
    with pytest.raises(ChangedImageError, match="danbooru/1 are not those that were scored"):
        run(store, crawl)
    assert read_manifest(store, "releases/small") is None


def test_a_changed_file_is_found(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    published = run(store, crawl)
    assert verify(store, "small") == []
    shard = tmp_path / published.manifest.root / "webdataset/train-00000.tar"
    data = bytearray(shard.read_bytes())
    data[600] ^= 1
    shard.write_bytes(bytes(data))
    (shard.parent / "train-00003.tar").write_bytes(b"")
    (shard.parent / "train-00001.tar").unlink()
    problems = verify(store, "small")
    assert [problem.rpartition("/")[2] for problem in problems] == [
        "train-00000.tar: its bytes are not those that were published",
        "train-00001.tar: is missing",
        "train-00003.tar: is not in the manifest",
    ]
    with pytest.raises(ReleaseDamagedError, match=r"train-00001\.tar: is missing"):
        run(store, crawl)


KILLED = """
import os, sys
from pathlib import Path
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import make_crawl
from dataproc_assets_tests.release.making import run

reads = 0

def read(*address):
    global reads
    reads += 1
    if reads > int(sys.argv[3]):
        os._exit(9)
    return read_address(*address)

run(ObjectStore(sys.argv[2]), make_crawl(Path(sys.argv[1])), read=read, writers=1)
"""


@pytest.mark.parametrize("reads", [0, 4, 7])
def test_a_killed_run_leaves_nothing_visible_and_the_next_goes_on(tmp_path, reads):
    crawl = make_crawl(tmp_path / "crawl")
    run(ObjectStore(str(tmp_path / "whole")), crawl)
    store = ObjectStore(str(tmp_path / "store"))
    arguments = [str(tmp_path / "crawl"), str(tmp_path / "store"), str(reads)]
    environment = os.environ | {"PYTHONPATH": str(Path(module.__file__).parents[2])}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], env=environment, check=False
    )
    assert killed.returncode == 9
    assert verify(store, "small")[0].endswith("nothing was published here")
    with pytest.raises(FileNotFoundError, match="release 'small' is not published"):
        read_train(store, "small")
    kept = store.list().filter(pl.col("path").str.ends_with(".tar"))
    assert kept.height == reads // 3

    asked = []

    def read(uri, offset, length):
        asked.append(uri)
        return Path(uri).read_bytes()

    finished = run(store, crawl, read=read)
    assert len(asked) == 9 - 3 * kept.height
    assert finished.created
    assert tree(tmp_path / "store") == tree(tmp_path / "whole")


def test_what_a_killed_run_of_other_content_left_is_cleaned(crawl, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    store = ObjectStore(str(tmp_path))
    config = release_config(formats=["parquet"], title="first idea")
    run(ObjectStore(str(tmp_path / "other")), crawl, config)
    (tmp_path / "other/releases/small/manifest.json").unlink()
    (tmp_path / "other/releases").rename(tmp_path / "releases")
    with pytest.raises(KeyboardInterrupt):
        run(store, crawl, read=stop)
    published = run(store, crawl)
    kept = {f"{published.manifest.root}/{path}" for path in published.manifest.files}
    assert set(store.list("releases")["path"]) == kept | {"releases/small/manifest.json"}


def test_a_leftover_that_was_changed_is_written_again(crawl, tmp_path):
    store = ObjectStore(str(tmp_path / "store"))
    whole = run(ObjectStore(str(tmp_path / "whole")), crawl)
    seen = []

    def read(uri, offset, length):
        seen.append(uri)
        if len(seen) > 5:
            raise KeyboardInterrupt
        return Path(uri).read_bytes()

    with pytest.raises(KeyboardInterrupt):
        run(store, crawl, read=read, writers=1)
    shard = tmp_path / "store" / whole.manifest.root / "webdataset/train-00000.tar"
    shard.write_bytes(bytes(shard.stat().st_size))
    run(store, crawl)
    assert tree(tmp_path / "store") == tree(tmp_path / "whole")


def test_manifest_names_inputs_config_and_counts(crawl, tmp_path):
    manifest = run(ObjectStore(str(tmp_path)), crawl).manifest
    assert manifest.inputs == {"images": "1" * 64}
    assert manifest.code_version == "1"
    assert manifest.config["select"]["ratings"] == ["general", "sensitive"]
    assert manifest.counts["images"] == 9
    assert manifest.counts["ratings"] == {"general": 6, "sensitive": 3}
    assert manifest.counts["sources"] == {"danbooru": 3, "pixiv": 6}
    assert manifest.files["train.parquet"].rows == 9
    stored = json.loads((tmp_path / "releases/small/manifest.json").read_text())
    assert stored["digest"] == manifest.digest


def test_the_same_release_from_files_and_from_tar_shards(crawl, tmp_path):
    shard = tmp_path / "crawl.tar"
    with tarfile.open(shard, "w") as archive:
        for uri in crawl.addresses["uri"]:
            archive.add(uri, Path(uri).name)
    with tarfile.open(shard) as archive:
        members = archive.getmembers()
    addresses = crawl.addresses.with_columns(
        uri=pl.lit(str(shard)),
        offset=pl.Series([member.offset_data for member in members]),
        length=pl.Series([member.size for member in members]),
    )
    run(ObjectStore(str(tmp_path / "files")), crawl)
    run(ObjectStore(str(tmp_path / "tars")), crawl, addresses=addresses)
    assert tree(tmp_path / "files") == tree(tmp_path / "tars")


@pytest.mark.parametrize("title", ["A small release", "Another"])
def test_of_two_runs_at_once_one_is_published_and_stays_whole(crawl, tmp_path, title):
    store = ObjectStore(str(tmp_path))
    winners = []

    def read(uri, offset, length):
        if not winners:
            winners.append(run(store, crawl, release_config(title=title)))
        return Path(uri).read_bytes()

    if title == "Another":
        with pytest.raises(ReleaseExistsError, match="config title: 'Another' ->"):
            run(store, crawl, read=read, writers=1)
    else:
        assert not run(store, crawl, read=read, writers=1).created
    manifest = winners[0].manifest
    assert verify(store, "small") == []
    kept = {f"{manifest.root}/{path}" for path in manifest.files}
    assert set(store.list()["path"]) == kept | {"releases/small/manifest.json"}


def test_each_split_has_a_table_and_shards_of_its_own(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    config = release_config(splits={"train": 0.5, "validation": 0.4, "test": 0.1})
    manifest = run(store, crawl, config).manifest
    whole = read_train(store, "small")
    assert whole["image_id"].is_sorted() and whole["split"].n_unique() > 1
    assert manifest.counts["splits"] == dict(whole.group_by("split").len().rows())
    for split in config.splits:
        rows = pl.read_parquet(store.get(f"{manifest.root}/{split}.parquet"))
        assert rows.equals(whole.filter(pl.col("split") == split))
        shards = [path for path in manifest.files if path.startswith(f"webdataset/{split}-")]
        assert sorted(shards) == rows["shard"].unique().sort().to_list()
        assert [Path(path).stem for path in sorted(shards)] == [
            f"{split}-{number:05d}" for number in range(len(shards))
        ]
        listed = "" if split == "train" else f".{split}"
        metadata = json.loads(store.get(f"{manifest.root}/sd_scripts/animagine{listed}.json"))
        assert sorted(metadata) == rows["file_name"].sort().to_list()
    assert verify(store, "small") == []


@pytest.mark.parametrize("writers", [1, 2, 5])
def test_shards_have_the_same_bytes_however_many_are_written_at_a_time(crawl, tmp_path, writers):
    config = release_config(shard={"bytes_max": 30_000, "images_max": 2})
    told: list[str] = []
    run(ObjectStore(str(tmp_path / "one")), crawl, config, writers=1)
    manifest = run(
        ObjectStore(str(tmp_path / "many")), crawl, config, writers=writers, say=told.append
    ).manifest
    assert tree(tmp_path / "one") == tree(tmp_path / "many")
    shards = sum(path.endswith(".tar") for path in manifest.files)
    assert shards > 2 and told[-1].startswith(f"{shards} of {shards} shards, 9 images, ")


def test_a_shard_that_cannot_be_written_ends_the_release_and_names_the_image(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    config = release_config(shard={"bytes_max": 30_000, "images_max": 1})

    def read(uri, offset, length):
        return b"another picture" if uri.endswith("/4.jpeg") else Path(uri).read_bytes()

    with pytest.raises(ChangedImageError, match=r"4\.jpeg: the bytes of pixiv/4_p0"):
        run(store, crawl, config, read=read, writers=3)
    assert read_manifest(store, "releases/small") is None
    assert run(store, crawl, config).created
