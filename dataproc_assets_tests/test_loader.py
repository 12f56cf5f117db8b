from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
import torch
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.loader import Batch, LatentBatches
from dataproc_assets.release.encoded import latent_index, latent_todo, latent_units
from dataproc_assets.release.latents import publish_latents
from dataproc_assets.release.manifest import MANIFEST, Manifest, read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.successor import publish_successor
from dataproc_assets.release.successor_latents import publish_successor_latents
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets_tests.jobs.encoding import drawn_vae, encode_here, encode_job
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.release.crawl import RECIPES, make_crawl, release_config
from dataproc_assets_tests.release.making import LATENTS, run
from dataproc_assets_tests.stores import copied


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> str:
    """A storage root with a release of two splits and its latents."""
    folder = tmp_path_factory.mktemp("loader")
    (folder / "vae").mkdir()
    crawl, vae = make_crawl(folder / "crawl", count=44), drawn_vae(folder / "vae")
    store = ObjectStore(str(folder / "store"))
    config = release_config(splits={"train": 0.7, "validation": 0.3}, latents=LATENTS)
    run(store, crawl, config)
    assert config.latents is not None
    index = latent_index(store, latent_fingerprint(vae, WHITE))
    todo = latent_todo(read_train(store, "small"), config.latents.buckets, index, crawl.addresses)
    job = encode_job(store.url, vae, latent_units(todo, 16), 0.0)
    with TemporaryDirectory() as work:
        encode_here(job, Path(work))
    publish_latents(store, config, vae, WHITE, code_version="1")
    return store.url


def batches(root: str, **options) -> LatentBatches:
    return LatentBatches(root, "small", **{"batch_size": 4, **options})


def same(one: Batch, other: Batch) -> bool:
    return one.image_ids == other.image_ids and np.array_equal(one.latents, other.latents)


def test_a_batch_is_what_the_tars_and_the_table_say(root):
    store = ObjectStore(root)
    manifest = read_manifest(store, latents_path("small"))
    assert manifest is not None
    shards = [store.uri(f"{manifest.root}/{p}") for p in manifest.files if "/train-" in p]
    read = webdataset.WebDataset(shards, shardshuffle=False).decode()
    samples = {sample["__key__"]: sample for sample in read}
    rows = {row["image_id"]: row for row in read_train(store, "small").to_dicts()}
    seen = 0
    for batch in batches(root, rest="short").epoch(0):
        for place, image in enumerate(batch.image_ids):
            meta = samples[image]["json"]
            assert np.array_equal(batch.latents[place], samples[image]["latent.npy"])
            assert batch.prompts[place] in rows[image][f"prompts__{RECIPES[0]}"]
            assert batch.original_size[place].tolist() == meta["original_size"]
            assert batch.crop_ltrb[place].tolist() == meta["crop_ltrb"]
            assert list(batch.bucket) == meta["bucket"]
            seen += 1
    assert seen == len(samples) > 10


@settings(deadline=None, max_examples=12)
@given(
    batch_size=st.integers(1, 9),
    world=st.integers(1, 5),
    workers=st.integers(1, 3),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 3),
)
def test_every_sample_comes_once_over_ranks_and_workers(
    root, batch_size, world, workers, seed, epoch
):
    seen: Counter[str] = Counter()
    for rank in range(world):
        mine = batches(root, batch_size=batch_size, world=world, rank=rank, seed=seed, rest="short")
        for worker in range(workers):
            for batch in mine.epoch(epoch, worker=worker, workers=workers):
                assert len(batch.image_ids) <= batch_size
                seen.update(batch.image_ids)
    assert set(seen.values()) == {1}
    assert set(seen) == set(batches(root).samples["image_id"])


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 9), st.integers(1, 5), st.sampled_from(["repeat", "drop"]))
def test_ranks_have_as_many_whole_batches_each(root, batch_size, world, rest):
    ranks = [
        batches(root, batch_size=batch_size, world=world, rank=rank, rest=rest)
        for rank in range(world)
    ]
    assert len({len(mine) for mine in ranks}) == 1
    found = [batch for mine in ranks for batch in mine.epoch(0)]
    assert {len(batch.image_ids) for batch in found} <= {batch_size}
    seen = Counter(image for batch in found for image in batch.image_ids)
    everything = set(batches(root).samples["image_id"])
    if rest == "repeat":
        assert set(seen) == everything
    else:
        assert set(seen) <= everything and set(seen.values()) <= {1}


def test_the_same_epoch_twice_is_the_same_and_another_is_not(root):
    one, again = (list(batches(root).epoch(3)) for _ in range(2))
    assert all(map(same, one, again)) and [b.prompts for b in one] == [b.prompts for b in again]
    other = [batch.image_ids for batch in batches(root).epoch(4)]
    assert [batch.image_ids for batch in one] != other
    assert [b.image_ids for b in batches(root, seed=9).epoch(3)] != [b.image_ids for b in one]


def test_a_run_goes_on_from_a_step(root):
    whole = list(batches(root).epoch(1))
    rest = list(batches(root).epoch(1, start=3))
    assert [batch.step for batch in rest] == [batch.step for batch in whole[3:]]
    assert all(map(same, whole[3:], rest))


def test_buckets_are_mixed_through_an_epoch(root):
    found = [batch.bucket for batch in batches(root, batch_size=1, rest="short").epoch(0)]
    assert len(set(found)) > 1
    assert sum(a != b for a, b in pairwise(found)) > len(set(found))


class Latents(IterableDataset):
    def __init__(self, root: str) -> None:
        self.batches = batches(root)

    def __iter__(self):
        info = get_worker_info()
        share = {"worker": info.id, "workers": info.num_workers} if info else {}
        for batch in self.batches.epoch(0, **share):
            yield torch.from_numpy(batch.latents), batch.prompts, batch.image_ids


def test_workers_of_torch_give_the_order_of_one(root):
    one = [ids for _, _, ids in Latents(root)]
    loader = DataLoader(
        Latents(root), batch_size=None, num_workers=2, multiprocessing_context="spawn"
    )
    several = [(latents, ids) for latents, _, ids in loader]
    assert [ids for _, ids in several] == one
    assert all(latents.dtype == torch.float32 and latents.ndim == 4 for latents, _ in several)


def test_a_forked_worker_says_how_workers_are_started_and_does_not_hang(root):
    loader = DataLoader(
        Latents(root), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=60
    )
    with pytest.raises(RuntimeError, match='multiprocessing_context="spawn"'):
        next(iter(loader))


def test_the_other_split_and_the_other_recipe_are_their_own(root):
    held = batches(root, split="validation")
    assert not set(held.samples["image_id"]) & set(batches(root).samples["image_id"])
    batch = next(batches(root, recipe=RECIPES[1]).epoch(0))
    assert all(prompt.startswith(RECIPES[1]) for prompt in batch.prompts)


def test_what_is_not_there_is_told(root, tmp_path):
    with pytest.raises(ValueError, match="no split 'test'; it has train, validation"):
        batches(root, split="test")
    with pytest.raises(ValueError, match="no recipe 'nix'"):
        batches(root, recipe="nix")
    with pytest.raises(ValueError, match="rank 2 is none of 2"):
        batches(root, rank=2, world=2)
    with pytest.raises(FileNotFoundError, match="nothing is published"):
        batches(str(tmp_path))


def tampered(store: ObjectStore, folder: str, table: str, **columns: pl.Expr) -> Manifest:
    """Change columns of a published table; returns the manifest, which stays as it was."""
    manifest = read_manifest(store, folder)
    assert manifest is not None
    path = f"{manifest.root}/{table}"
    store.put(path, to_parquet(pl.read_parquet(store.get(path)).with_columns(**columns)))
    return manifest


@pytest.mark.parametrize(
    ("folder", "table"),
    [(latents_path("small"), "latents.parquet"), (release_path("small"), "train.parquet")],
)
def test_a_table_that_was_changed_is_refused(root, tmp_path, folder, table):
    store = copied(ObjectStore(root), ObjectStore(str(tmp_path)))
    tampered(store, folder, table, image_id=pl.col("image_id").reverse())
    with pytest.raises(ChangedFileError, match=f"{table} is not what was published"):
        len(batches(store.url))


def test_latents_of_another_release_of_the_name_are_refused(root, tmp_path):
    store = copied(ObjectStore(root), ObjectStore(str(tmp_path)))
    release = read_manifest(store, release_path("small"))
    assert release is not None
    store.put(f"{release_path('small')}/{MANIFEST}", replace(release, digest="0" * 64).to_json())
    with pytest.raises(ValueError, match="is of another release of the name 'small'"):
        batches(store.url)


def resigned(store: ObjectStore, **columns: pl.Expr) -> None:
    """Change columns of the table of latents, and its digest in the manifest."""
    folder = latents_path("small")
    manifest = tampered(store, folder, "latents.parquet", **columns)
    data = store.get(f"{manifest.root}/latents.parquet")
    entry = replace(manifest.files["latents.parquet"], sha256=bytes_digest(data), size=len(data))
    files = {**manifest.files, "latents.parquet": entry}
    store.put(f"{folder}/{MANIFEST}", replace(manifest, files=files).to_json())


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"shard": pl.col("shard").sort().first()}, "verify small"),
        ({"offset": pl.col("offset") + 512}, "another member lies there"),
        ({"offset": pl.col("offset").shift(-1).over("shard")}, "another member lies there"),
        ({"length": pl.col("length") - 1}, "another member lies there"),
        ({"length": pl.lit(1 << 30)}, "bytes at"),
        ({"length": pl.lit(1 << 40)}, "overflow"),
    ],
)
def test_a_latent_that_lies_elsewhere_is_never_taken_for_another(root, tmp_path, columns, said):
    store = copied(ObjectStore(root), ObjectStore(str(tmp_path)))
    resigned(store, **{name: value.fill_null(512) for name, value in columns.items()})
    with pytest.raises(ValueError, match=rf"the latent of \w+ is not at byte .*{said}"):
        list(batches(store.url).epoch(0))


def test_a_tar_that_was_cut_or_changed_is_told_with_the_next_step(root, tmp_path):
    store = copied(ObjectStore(root), ObjectStore(str(tmp_path)))
    manifest = read_manifest(store, latents_path("small"))
    assert manifest is not None
    path = next(f"{manifest.root}/{p}" for p in manifest.files if "/train-" in p)
    whole = store.get(path)
    for data in (whole[:700], whole[:512] + b"x" * (len(whole) - 512)):
        store.put(path, data)
        with pytest.raises(ValueError, match=r"`dataproc release verify small` finds what"):
            list(batches(store.url).epoch(0))
    store.delete(path)
    with pytest.raises(FileNotFoundError):
        list(batches(store.url).epoch(0))


def test_latents_of_an_older_form_are_refused_with_the_next_step(root, tmp_path):
    store, folder = copied(ObjectStore(root), ObjectStore(str(tmp_path))), latents_path("small")
    manifest = read_manifest(store, folder)
    assert manifest is not None
    path = f"{manifest.root}/latents.parquet"
    data = to_parquet(pl.read_parquet(store.get(path)).drop("offset", "length"))
    store.put(path, data)
    entry = replace(manifest.files["latents.parquet"], sha256=bytes_digest(data), size=len(data))
    files = {**manifest.files, "latents.parquet": entry}
    store.put(f"{folder}/{MANIFEST}", replace(manifest, files=files).to_json())
    with pytest.raises(ValueError, match="older version; remove that folder and make the latents"):
        len(batches(store.url))


def test_a_sample_takes_one_request_and_no_tar_is_indexed(root, monkeypatch):
    asked: list[str] = []
    get_range = ObjectStore.get_range

    def counted(self: ObjectStore, path: str, offset: int, length: int) -> bytes:
        asked.append(path)
        return get_range(self, path, offset, length)

    monkeypatch.setattr(ObjectStore, "get_range", counted)
    mine = batches(root, rest="short")
    assert len(mine) and asked == []
    for _ in mine.epoch(0):
        pass
    assert len(asked) == mine.samples.height


def test_the_successor_of_a_release_is_read_as_any_other(root, tmp_path):
    """Some shards are rewritten without their first sample, one is left out, the rest is copied."""
    store = copied(ObjectStore(root), ObjectStore(str(tmp_path)))
    old, latents = (read_manifest(store, path("small")) for path in (release_path, latents_path))
    assert old is not None and latents is not None
    table = pl.read_parquet(store.get(f"{latents.root}/latents.parquet"))
    (first, *others) = table.filter(split="train").sort("offset").partition_by("shard")
    dropped = {*first["image_id"], *(part["image_id"][0] for part in others[::2])}
    told = {"code_version": "1", "say": lambda _: None}
    release = publish_successor(store, old, dropped, revokers=[], **told)
    publish_successor_latents(store, latents, release, **told)
    before = {
        image: latent
        for batch in batches(root, rest="short").epoch(0)
        for image, latent in zip(batch.image_ids, batch.latents, strict=True)
    }
    mine = LatentBatches(store.url, release.name, batch_size=4, rest="short")
    seen = set()
    for batch in mine.epoch(0):
        for image, latent in zip(batch.image_ids, batch.latents, strict=True):
            assert np.array_equal(latent, before[image])
            seen.add(image)
    assert seen == set(before) - dropped
