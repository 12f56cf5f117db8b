"""A purge, looked for in every byte, on a folder and on a bucket that keeps versions."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import dataproc_assets
from dataproc_assets.loader import LatentBatches
from dataproc_assets.release.build import clean
from dataproc_assets.release.encoded import latent_index
from dataproc_assets.release.latent_checks import check_latents
from dataproc_assets.release.latents import publish_latents
from dataproc_assets.release.manifest import Manifest, read_manifest, verify, verify_latents
from dataproc_assets.release.publish import WithdrawnError, read_train
from dataproc_assets.release.purge import Purged, purge
from dataproc_assets.release.revocations import Revoked, read_revocations
from dataproc_assets.release.scrub import Artefact
from dataproc_assets.release.states import states
from dataproc_assets.release.tars import shard_name
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.versions import all_versions
from dataproc_assets.storage.withdrawn import present_name, read_withdrawn
from dataproc_assets_tests.jobs.encoding import drawn_vae
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import LATENTS, encode, run
from dataproc_assets_tests.release.revoking import (
    DATE,
    PUBLIC,
    all_bytes,
    found_in,
    revoke_rows,
)
from dataproc_assets_tests.release.versioned import delete_all, new_bucket

CONFIG = release_config(latents=LATENTS, splits={"train": 0.7, "validation": 0.3})
PUBLISHED = ("releases", "latents", "denoisers")
PLACES = (*PUBLISHED, "units/latents", "units/denoisers")


@pytest.fixture(scope="module")
def made(tmp_path_factory, crawl) -> ObjectStore:
    """A release with latents and with what is left of a denoiser: to be copied."""
    store = ObjectStore(str(tmp_path_factory.mktemp("made")))
    vae = drawn_vae(tmp_path_factory.mktemp("vae"))
    run(store, crawl, CONFIG)
    encode(store, vae, crawl)
    publish_latents(store, CONFIG, vae, WHITE, code_version="1")
    ids = read_train(store, "small")["image_id"]
    for unit, images in (("one", ids.head(2)), ("two", ids.tail(2)), ("of_another", ["f" * 32])):
        losses = pl.DataFrame({"image_id": images, "none": 1.0})
        store.put(f"units/denoisers/x/{unit}.losses.parquet", to_parquet(losses))
        store.put(f"units/denoisers/x/{unit}.losses.json", b"{}")
        store.put(f"units/denoisers/x/{unit}.safetensors", b"weights")
    store.put("denoisers/small/root/model.safetensors", b"weights")
    return store


@pytest.fixture(params=["folder", "s3"])
def store(request, made, tmp_path) -> ObjectStore:
    """A copy of it, in a folder or in a bucket that keeps versions."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        copy = new_bucket(versioned=True)
    else:
        copy = ObjectStore(str(tmp_path / "store"))
    return copied(made, copy)


def copied(made: ObjectStore, copy: ObjectStore) -> ObjectStore:
    for path in made.list()["path"]:
        copy.put(path, made.get(path))
    return copy


def clear(store: ObjectStore, revoked: Revoked, name: str = "small") -> Purged | None:
    return purge(store, name, revoked, code_version="2", say=lambda _: None)


def manifest_of(store: ObjectStore, name: str, kind: str = "releases") -> Manifest:
    manifest = read_manifest(store, f"{kind}/{name}")
    assert manifest is not None
    return manifest


def traces(store: ObjectStore, crawl, rows: pl.DataFrame) -> list[str]:
    """Where anything of some released images is left: bytes, hash, id, key, latent."""
    addresses = dict(crawl.addresses.select("image_key", "uri").iter_rows())
    wanted = [Path(addresses[key]).read_bytes() for key in rows["representative"]]
    for name in ("sha256", "image_id", "representative", "title"):
        wanted += [value.encode() for value in rows[name]]
    known = all_bytes(store, PLACES)
    return [hit for path, data in known for hit in found_in(path, data, wanted)]


def tree(store: ObjectStore) -> dict[str, bytes]:
    return {path: store.get(path) for path in store.list()["path"]}


def samples(store: ObjectStore, manifest: Manifest) -> dict[str, dict[str, bytes]]:
    """The members of all tars of a folder by shard."""
    found = {}
    for path in manifest.files:
        if path.endswith(".tar"):
            with tarfile.open(fileobj=BytesIO(store.get(f"{manifest.root}/{path}"))) as archive:
                members = {m.name: archive.extractfile(m) for m in archive}
            found[path] = {name: file.read() for name, file in members.items() if file}
    return found


def first_shard(rows: pl.DataFrame, split: str = "train", number: int = 0) -> pl.DataFrame:
    return rows.filter(pl.col("shard") == shard_name(f"webdataset/{split}", number))


def test_nothing_of_the_image_is_left_and_all_else_is(store, crawl):
    rows = read_train(store, "small")
    gone, others = rows.head(1), rows.slice(1)
    assert traces(store, crawl, gone)
    before = {
        image: s
        for shard in samples(store, manifest_of(store, "small")).values()
        for image, s in shard.items()
    }
    old = manifest_of(store, "small")
    done = clear(store, revoke_rows(store, gone))
    assert done is not None and (done.name, done.successor) == ("small", "small.1")
    assert traces(store, crawl, gone) == []
    assert traces(store, crawl, others.head(1))
    assert verify(store, "small.1") == verify_latents(store, "small.1") == []
    assert check_latents(store, "small.1") == []
    new = manifest_of(store, "small.1")
    assert new.replaces == {"name": "small", "digest": old.digest} and new.revokers == [PUBLIC]
    left = read_train(store, "small.1")
    assert left.drop("shard").equals(others.drop("shard"))
    after = {image: s for shard in samples(store, new).values() for image, s in shard.items()}
    dropped = f"{gone['image_id'][0]}."
    assert after == {name: data for name, data in before.items() if not name.startswith(dropped)}
    assert new.counts["images"] == len(others) and new.counts["splits"] == dict(
        left.group_by("split").len().sort("split").iter_rows()
    )
    assert new.counts["funnel"][:-1] == old.counts["funnel"]
    assert new.counts["funnel"][-1] == {
        "name": "revoked",
        "before": len(rows),
        "after": len(others),
    }
    assert f"{len(others)} images" in store.get(f"{new.root}/README.md").decode()
    assert "small.1" in store.get(f"{new.root}/README.md").decode()


def test_all_that_is_left_of_the_old_one_says_where_the_new_one_is(store):
    rows = read_train(store, "small")
    digest = manifest_of(store, "small").digest
    clear(store, revoke_rows(store, rows.head(2)))
    assert [p for p in store.list()["path"] if "/small/" in p] == ["releases/small/withdrawn.json"]
    assert json.loads(store.get("releases/small/withdrawn.json")) == {
        "name": "small",
        "digest": digest,
        "replaced_by": "small.1",
        "date": DATE,
    }
    assert {v.path for v in all_versions(store, "") if "/small/" in v.path} <= {
        "releases/small/withdrawn.json"
    }
    assert states(store, "releases/small") == []
    if not store.is_s3:
        root = Path(store.url)
        assert [path.name for path in (root / "releases/small").iterdir()] == ["withdrawn.json"]
        assert not (root / "latents/small").exists() and not (root / "denoisers/small").exists()
    assert present_name(store, "small") == "small.1" == present_name(store, "small.1")
    assert read_train(store, "small").equals(read_train(store, "small.1"))


def test_a_receipt_can_name_every_file(store):
    before = tree(store)
    revoked = revoke_rows(store, read_train(store, "small").head(1))
    done = clear(store, revoked)
    assert done is not None
    after = {path: data for path, data in tree(store).items() if "revocations/" not in path}
    expected = [
        Artefact(
            path,
            bytes_digest(before[path]) if path in before else None,
            bytes_digest(after[path]) if path in after else None,
        )
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
    # what no manifest names has no digest there
    assert [a for a in done.artefacts if "denoisers/small/root" not in a.path] == [
        a for a in expected if "denoisers/small/root" not in a.path
    ]
    assert (done.versions > 0) == store.is_s3


def test_a_shard_of_revoked_images_alone_is_left_out_without_a_gap(store, crawl):
    rows = read_train(store, "small")
    old = manifest_of(store, "small")
    assert len(first_shard(rows, number=1)) > 0
    moved = old.files[shard_name("webdataset/train", 1)]
    gone = first_shard(rows)
    clear(store, revoke_rows(store, gone))
    new = manifest_of(store, "small.1")
    assert new.files[shard_name("webdataset/train", 0)].sha256 == moved.sha256
    assert len(first_shard(read_train(store, "small.1"))) == moved.rows
    assert verify(store, "small.1") == [] and traces(store, crawl, gone) == []


def test_latents_lie_where_their_table_says(store):
    rows = read_train(store, "small").filter(pl.col("split") == "train")
    expected = {
        image: latent
        for batch in LatentBatches(store.url, "small", batch_size=1).epoch(0)
        for image, latent in zip(batch.image_ids, batch.latents, strict=True)
    }
    gone = rows.gather_every(3)
    clear(store, revoke_rows(store, gone))
    for name in ("small", "small.1"):
        batches = list(LatentBatches(store.url, name, batch_size=1, rest="short").epoch(0))
        found = {b.image_ids[0]: b.latents[0] for b in batches}
        assert sorted(found) == sorted(set(expected) - set(gone["image_id"]))
        assert all(np.array_equal(found[image], expected[image]) for image in found)


def test_parts_lose_the_image_and_nothing_else(store, vae_fingerprint):
    rows = read_train(store, "small")
    index = latent_index(store, vae_fingerprint)
    gone = rows.gather_every(2)
    clear(store, revoke_rows(store, gone))
    left = latent_index(store, vae_fingerprint)
    kept = index.filter(~pl.col("sha256").is_in(gone["sha256"].implode()))
    assert left.drop("part").equals(kept.drop("part"))
    assert store.list("units/denoisers")["path"].to_list() == [
        f"units/denoisers/x/of_another.{end}"
        for end in ("losses.json", "losses.parquet", "safetensors")
    ]


@pytest.fixture
def vae_fingerprint(made) -> str:
    return made.list("units/latents")["path"][0].split("/")[2]


def test_the_latents_are_what_would_be_assembled_anew(store, made, tmp_path_factory, crawl):
    gone = read_train(store, "small").head(1)
    clear(store, revoke_rows(store, gone))
    before = tree(store)
    vae = drawn_vae(tmp_path_factory.mktemp("vae"))
    done = publish_latents(store, CONFIG, vae, WHITE, code_version="1")
    assert not done.created and done.manifest.name == "small.1"
    assert tree(store) == before


def test_twice_does_nothing_more(store):
    rows = read_train(store, "small")
    revoked = revoke_rows(store, rows.head(1))
    clear(store, revoked)
    before = tree(store)
    assert clear(store, revoked) is None and clear(store, revoked, "small.1") is None
    assert tree(store) == before
    assert clear(store, Revoked(), "small.1") is None


def test_the_next_one_has_the_next_number(store, crawl):
    rows = read_train(store, "small")
    clear(store, revoke_rows(store, rows.head(1)))
    done = clear(store, revoke_rows(store, rows.slice(1, 1), "2026-12-01"), "small.1")
    assert done is not None and done.successor == "small.2"
    assert present_name(store, "small") == "small.2"
    assert read_train(store, "small").height == rows.height - 2
    assert traces(store, crawl, rows.head(2)) == []
    steps = manifest_of(store, "small.2").counts["funnel"]
    assert [step["name"] for step in steps[-2:]] == ["revoked", "revoked"]
    told = read_withdrawn(store, "small.1")
    assert told is not None and told.date == "2026-12-01"


def test_the_name_is_never_given_again(store, crawl):
    clear(store, revoke_rows(store, read_train(store, "small").head(1)))
    before = tree(store)
    with pytest.raises(WithdrawnError, match=r"'small\.1' is in its place.* with a new `name`"):
        run(store, crawl, CONFIG)
    assert tree(store) == before


def test_one_that_was_published_and_purged_meanwhile_does_not_come_back(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    done = []

    def read(*address) -> bytes:
        if not done:
            done.append(run(store, crawl))
            clear(store, revoke_rows(store, read_train(store, "small").head(1)))
        return read_address(*address)

    with pytest.raises(WithdrawnError, match=r"'small\.1' is in its place"):
        run(store, crawl, read=read, writers=1)
    assert read_manifest(store, "releases/small") is None
    clear(store, read_revocations(store), "small")
    assert [p for p in tree(store) if "/small/" in p] == ["releases/small/withdrawn.json"]


def test_cleaning_keeps_what_says_that_a_release_was_withdrawn(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    run(store, crawl)
    store.put("releases/small/withdrawn.json", b"x")
    store.put("releases/small/left", b"x")
    assert clean(store, "releases/small") == ["releases/small/left"]


def test_a_release_without_tars_and_one_that_loses_a_split(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    run(store, crawl, release_config(name="tables", formats=["parquet"]))
    rows = read_train(store, "tables")
    run(store, crawl, CONFIG)
    split = read_train(store, "small").filter(pl.col("split") == "validation")
    revoked = revoke_rows(store, pl.concat([rows.head(1), split.select(rows.columns)]).unique())
    gone = len(revoked.sha256s)
    for name in ("tables", "small"):
        before = read_train(store, name)
        assert before.height == rows.height - gone
        clear(store, revoked, name)
        assert read_train(store, f"{name}.1").drop("shard").equals(before.drop("shard"))
        assert verify(store, name) == []
    manifest = manifest_of(store, "small.1")
    assert manifest.files["validation.parquet"].rows == 0
    assert not any("/validation" in path for path in manifest.files if path.endswith(".tar"))


def test_where_every_image_is_revoked_nothing_takes_its_place(store, crawl):
    rows = read_train(store, "small")
    done = clear(store, revoke_rows(store, rows))
    assert done is not None and done.successor is None
    assert store.list("releases")["path"].to_list() == ["releases/small/withdrawn.json"]
    assert store.list("latents").is_empty() and traces(store, crawl, rows) == []
    with pytest.raises(FileNotFoundError):
        read_train(store, "small")
    with pytest.raises(WithdrawnError, match="no image was left"):
        run(store, crawl, CONFIG)


def test_only_past_states_hold_it(s3, crawl):
    """The published state has not the image: it stays, as do past states without it."""
    store = new_bucket(versioned=True)
    everything = release_config()
    one = run(store, crawl, everything).manifest
    gone = read_train(store, "small").head(1)
    delete_all(store)
    less = crawl.images.filter(pl.col("image_id") != gone["image_id"][0])
    past = run(store, type(crawl)(less, crawl.sanitized, crawl.addresses), everything).manifest
    delete_all(store)
    again = release_config(title="Once more")
    run(store, type(crawl)(less, crawl.sanitized, crawl.addresses), again)
    present = tree(store)
    assert len(states(store, "releases/small")) == 3 and traces(store, crawl, gone)

    revoked = revoke_rows(store, gone)
    done = clear(store, revoked)
    assert done is not None and done.successor is None and done.versions > len(one.files)
    assert f"{one.root}/train.parquet" in {a.path for a in done.artefacts}
    assert traces(store, crawl, gone) == []
    assert {p: d for p, d in tree(store).items() if "revocations/" not in p} == present
    known = states(store, "releases/small")
    assert [state.manifest.digest for state in known[1:]] == [past.digest]
    for path, entry in known[1].manifest.files.items():
        data = store.get(f"{past.root}/{path}", version=entry.version)
        assert bytes_digest(data) == entry.sha256
    assert clear(store, revoked) is None


def test_what_a_killed_publishing_left_in_old_versions_goes_too(s3, crawl):
    store = new_bucket(versioned=True)
    run(store, crawl, CONFIG)
    gone = read_train(store, "small").head(1)
    data = store.get(f"{manifest_of(store, 'small').root}/train.parquet")
    delete_all(store)
    less = crawl.images.filter(pl.col("image_id") != gone["image_id"][0])
    run(store, type(crawl)(less, crawl.sanitized, crawl.addresses), CONFIG)
    store.put("releases/small/0123456789abcdef/train.parquet", data)
    store.delete("releases/small/0123456789abcdef/train.parquet")
    clear(store, revoke_rows(store, gone))
    assert traces(store, crawl, gone) == []


class Killed(BaseException):
    pass


class Mortal(ObjectStore):
    """A store whose process dies at the n-th change."""

    def __init__(self, url: str, left: int) -> None:
        super().__init__(url)
        self.left = left

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def put(self, path: str, data: bytes) -> str | None:
        self._live()
        return super().put(path, data)

    def put_new(self, path: str, data: bytes) -> bool:
        self._live()
        return super().put_new(path, data)

    @contextmanager
    def making(self, path: str, beside: str) -> Iterator:
        self._live()
        with super().making(path, beside) as made:
            yield made

    def delete(self, path: str) -> None:
        self._live()
        super().delete(path)


def test_killed_at_any_moment_it_is_taken_up(made, tmp_path, crawl):
    rows = read_train(made, "small")
    gone = pl.concat([first_shard(rows), rows.filter(pl.col("split") == "validation").head(1)])
    whole = copied(made, ObjectStore(str(tmp_path / "whole")))
    revoked = revoke_rows(whole, gone)
    clear(whole, revoked)
    expected, moment, died = tree(whole), 0, True
    while died:
        store = copied(made, ObjectStore(str(tmp_path / str(moment))))
        revoke_rows(store, gone)
        try:
            clear(Mortal(store.url, moment), revoked)
            died = False
        except Killed:
            readers = read_train(store, "small")
            assert not set(readers["image_id"]) & set(gone["image_id"])
        clear(store, revoked)
        assert tree(store) == expected, moment
        moment += 3
    assert moment > 60


def test_killed_and_more_is_revoked_meanwhile(made, tmp_path, crawl):
    rows = read_train(made, "small")
    for moment in (20, 30, 40, 60):
        store = copied(made, ObjectStore(str(tmp_path / str(moment))))
        with pytest.raises(Killed):
            clear(Mortal(store.url, moment), revoke_rows(store, rows.head(1)))
        done = clear(store, revoke_rows(store, rows.head(2), "2026-12-01"))
        assert done is not None
        for name in ("small.1", "small.2"):
            clear(store, revoke_rows(store, rows.head(2), "2026-12-01"), name)
        assert traces(store, crawl, rows.head(2)) == []
        assert read_train(store, "small").height == rows.height - 2
        assert verify(store, "small") == check_latents(store, "small") == []


def test_latents_of_another_release_of_the_name_go_with_what_was_learned_from_them(
    made, tmp_path, crawl
):
    store = copied(made, ObjectStore(str(tmp_path / "store")))
    gone = read_train(store, "small").head(1)
    for path in store.list("releases")["path"]:
        store.delete(path)
    less = crawl.images.filter(pl.col("image_id") != gone["image_id"][0])
    run(store, type(crawl)(less, crawl.sanitized, crawl.addresses), CONFIG)
    release = tree(store)
    done = clear(store, revoke_rows(store, gone))
    assert done is not None and done.successor is None
    assert store.list("latents").is_empty() and store.list("denoisers").is_empty()
    assert [p for p in tree(store) if p.startswith("releases/")] == [
        p for p in release if p.startswith("releases/")
    ]
    assert traces(store, crawl, gone) == []


PURGING = """
import sys
from dataproc_assets.release.purge import purge
from dataproc_assets.release.revocations import read_revocations
from dataproc_assets.storage.objects import ObjectStore
store = ObjectStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
purge(store, "small", read_revocations(store), code_version="2", say=lambda line: None)
"""


@pytest.mark.slow
def test_on_a_bucket_with_versions_it_may_be_killed_at_any_time(s3, made, crawl):
    gone = read_train(made, "small").head(1)
    whole = copied(made, new_bucket(versioned=True))
    clear(whole, revoke_rows(whole, gone))
    expected = tree(whole)
    store = copied(made, new_bucket(versioned=True))
    revoked = revoke_rows(store, gone)
    killed, seconds = 0, 0.02
    while killed < 8:
        process = subprocess.Popen(
            [sys.executable, "-c", PURGING, store.url],
            env=os.environ | {"PYTHONPATH": str(Path(dataproc_assets.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        ended = process.wait()
        seconds *= 1.5
        assert not set(read_train(store, "small")["image_id"]) & set(gone["image_id"])
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        killed += 1
    assert killed > 0
    clear(store, revoked)
    found = tree(store)
    assert {p for p in found if not p.endswith("manifest.json")} == {
        p for p in expected if not p.endswith("manifest.json")
    }
    assert all(found[p] == expected[p] for p in found if not p.endswith("manifest.json"))
    assert verify(store, "small") == check_latents(store, "small") == []
    assert traces(store, crawl, gone) == []
    assert {v.path for v in all_versions(store, "") if "/small/" in v.path} == {
        "releases/small/withdrawn.json"
    }


def test_a_damaged_shard_is_not_passed_on(store):
    rows = read_train(store, "small")
    old = manifest_of(store, "small")
    path = f"{old.root}/{rows['shard'][0]}"
    data = bytearray(store.get(path))
    data[600] ^= 1
    store.put(path, bytes(data))
    with pytest.raises(Exception, match="not those that were published; restore it from a copy"):
        clear(store, revoke_rows(store, rows.head(1)))
    assert read_manifest(store, "releases/small.1") is None
