"""What each reader of a release does once some of its images are revoked, and after a purge."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub.constants
import polars as pl
import pytest

from dataproc_assets.loader import LatentBatches
from dataproc_assets.release.extract import UnpackError
from dataproc_assets.release.fetch import fetch
from dataproc_assets.release.fetch_plan import FetchError, plan_fetch
from dataproc_assets.release.latent_checks import check_latents
from dataproc_assets.release.manifest import MANIFEST, read_manifest, verify
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.purge import purge
from dataproc_assets.release.push import PushError, push
from dataproc_assets.release.revocations import RevocationError, read_revocations, revoke
from dataproc_assets.release.signing import public_hex
from dataproc_assets.release.states import UnknownStateError, find_state
from dataproc_assets.release.unpack import unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.releases import UnknownRelease, faults, published, withdrawn
from dataproc_assets.storage.layout import revocations_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import Crawl
from dataproc_assets_tests.release.hub import TOKEN, Hub, writable_hub
from dataproc_assets_tests.release.making import run, tree
from dataproc_assets_tests.release.revoking import (
    DATE,
    KEY,
    OTHER_KEY,
    PUBLIC,
    found_in,
    revoke_rows,
)
from dataproc_assets_tests.release.versioned import delete_all, new_bucket
from dataproc_assets_tests.stores import copied


@pytest.fixture
def store(released, tmp_path) -> ObjectStore:
    """A copy of the release, whose manifest names the key as one published today does."""
    made = copied(released, ObjectStore(str(tmp_path / "store")))
    path = f"releases/small/{MANIFEST}"
    value = json.loads(made.get(path)) | {"revokers": [PUBLIC]}
    made.put(path, json.dumps(value).encode())
    return made


@pytest.fixture
def gone(store) -> pl.DataFrame:
    """Two images of it."""
    return read_train(store, "small").gather_every(5)


def clear(store: ObjectStore) -> None:
    revoked = read_revocations(store, [PUBLIC])
    purge(store, "small", revoked, code_version="2", say=lambda _: None)


def forge(store: ObjectStore, rows: pl.DataFrame) -> None:
    """A revocation by a key that the release does not name."""
    images = rows.select("image_id", "sha256")
    revoke(store, images, DATE, OTHER_KEY, trusted=[public_hex(OTHER_KEY)])


def bring(store: ObjectStore, folder: Path, **asked):
    return fetch(plan_fetch(store, "small", **asked), folder)


def test_tables_and_batches_lack_them(store, gone):
    before = read_train(store, "small")
    revoke_rows(store, gone)
    ids = set(before["image_id"]) - set(gone["image_id"])
    assert len(ids) == before.height - 2
    assert set(read_train(store, "small")["image_id"]) == ids
    batches = LatentBatches(store.url, "small", batch_size=2, rest="short")
    assert {image for batch in batches.epoch(0) for image in batch.image_ids} == ids
    assert check_latents(store, "small") == []  # what lies there is as it was published


def test_verify_tells_how_many_and_what_to_do(store, gone):
    assert [problems for _, problems in faults(store, published(store))] == [[], []]
    revoke_rows(store, gone)
    (_, problems), (_, latents) = faults(store, published(store), [PUBLIC])
    assert latents == [] and len(problems) == 1
    first = ", ".join(sorted(gone["image_id"]))
    assert problems[0].startswith(f"2 of the images of 'small' are revoked (first: {first}); ")
    assert "`dataproc takedown apply --purge`" in problems[0]
    clear(store)
    assert [problems for _, problems in faults(store, published(store, ["small"]))] == [[], []]


def test_fetch_refuses_and_then_brings_what_is_in_its_place(store, gone, tmp_path):
    revoke_rows(store, gone)
    with pytest.raises(FetchError, match=r"2 of the images of 'small' .*--purge.*; nothing was"):
        bring(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    clear(store)
    bring(store, tmp_path / "out")
    local = ObjectStore(str(tmp_path / "out"))
    left = {p: d for p, d in tree(Path(store.url)).items() if not p.startswith("units/")}
    assert tree(tmp_path / "out") == left
    for name in ("small", "small.1"):
        assert verify(local, name) == [] and read_train(local, name).height == 7
        assert len(LatentBatches(local.url, name, batch_size=1)) == 7
    assert bring(store, tmp_path / "out").brought == 0


def test_a_past_state_with_revoked_images_is_refused(s3, crawl, tmp_path):
    store = new_bucket(versioned=True)
    one = run(store, crawl)
    rows = read_train(store, "small").head(1)
    delete_all(store)
    less = crawl.images.filter(pl.col("image_id") != rows["image_id"][0])
    run(store, Crawl(less, crawl.sanitized, crawl.addresses))
    revoke_rows(store, rows)
    with pytest.raises(FetchError, match=r"1 of the images of 'small' are revoked"):
        bring(store, tmp_path / "one", version=one.digest[:16], trusted=[PUBLIC])
    bring(store, tmp_path / "now", trusted=[PUBLIC])
    clear(store)
    with pytest.raises(UnknownStateError, match="is no state of 'small'"):
        bring(store, tmp_path / "one", version=one.digest[:16])
    bring(store, tmp_path / "again")


def test_a_fetched_folder_learns_of_revocations(store, gone, tmp_path):
    bring(store, tmp_path / "out")
    local = ObjectStore(str(tmp_path / "out"))
    assert read_train(local, "small").height == 9
    revoke_rows(store, gone)
    with pytest.raises(FetchError, match="are revoked"):
        bring(store, tmp_path / "out")
    assert read_train(local, "small").height == 7
    assert len(LatentBatches(local.url, "small", batch_size=1)) == 7
    clear(store)
    with pytest.raises(FetchError, match=r"'small\.1' is in its place; .*the old one: name a new"):
        bring(store, tmp_path / "out")
    assert read_train(local, "small").height == 7


def test_a_folder_of_something_else_gets_no_revocation(store, gone, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("x")
    revoke_rows(store, gone)
    with pytest.raises(FetchError, match="holds other files"):
        bring(store, tmp_path / "mine")
    assert list(tree(tmp_path / "mine")) == ["file"]


@pytest.mark.parametrize("latents", [True, False])
def test_unpack_leaves_them_out_and_takes_them_out(store, gone, tmp_path, latents):
    folder = tmp_path / "out"
    unpack(plan_unpack(store, "small", latents=latents), folder)
    wanted = [image.encode() for image in gone["image_id"]]

    def hits() -> list[str]:
        return [hit for path, data in tree(folder).items() for hit in found_in(path, data, wanted)]

    assert hits()
    revoke_rows(store, gone)
    plan = plan_unpack(store, "small", latents=latents)
    assert "2 images are revoked, and left out" in plan.cautions
    done = unpack(plan, folder)
    assert done.images == 7 and done.latents == (7 if latents else 0)
    assert hits() == []
    unpack(plan, tmp_path / "anew")
    assert {p for p in tree(folder) if "images/" in p} == {
        p for p in tree(tmp_path / "anew") if "images/" in p
    }
    clear(store)
    plan = plan_unpack(store, "small", latents=latents)
    with pytest.raises(UnpackError, match=r"of which some are revoked: .*; delete that folder"):
        unpack(plan, folder)
    assert plan.release.name == "small.1" and len(plan.entries) == 7
    assert "'small.1' is in its place" in plan.cautions[0]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with writable_hub() as server:
        yield server


def test_push_refuses(store, gone, hub):
    revoke_rows(store, gone)
    with pytest.raises(PushError, match=r"2 of the images .* nothing was sent"):
        push(store, "small", "ada/small", token=TOKEN, endpoint=hub.url)
    assert hub.repos == {}
    clear(store)
    push(store, "small", "ada/small", token=TOKEN, endpoint=hub.url)
    sent = hub.repos["ada/small"].at("main")
    assert sent is not None
    assert json.loads(sent.files["manifest.json"])["name"] == "small.1"


def readers(store: ObjectStore, hub: Hub) -> list[Callable[[], object]]:
    """All that reads a release."""
    return [
        lambda: read_train(store, "small"),
        lambda: LatentBatches(store.url, "small", batch_size=1).samples,
        lambda: list(faults(store, published(store))),
        lambda: plan_fetch(store, "small"),
        lambda: plan_unpack(store, "small"),
        lambda: push(store, "small", "ada/small", token=TOKEN, endpoint=hub.url),
    ]


def test_one_that_is_forged_is_refused_by_every_reader(store, gone, tmp_path, hub):
    bring(store, tmp_path / "out")
    forge(store, gone)
    for reader in (*readers(store, hub), lambda: clear(store)):
        with pytest.raises(RevocationError, match=r"which neither conf/takedown\.yaml nor"):
            reader()
    assert hub.repos == {}
    assert read_train(ObjectStore(str(tmp_path / "out")), "small").height == 9


def test_one_by_a_newer_key_is_no_matter_for_a_release_without_its_images(store, tmp_path):
    """Else every release would be lost to its readers once a team has a new key."""
    bring(store, tmp_path / "out")
    forge(store, pl.DataFrame({"image_id": ["f" * 32], "sha256": ["f" * 64]}))
    assert read_train(store, "small").height == 9
    assert len(LatentBatches(store.url, "small", batch_size=1)) == 9
    assert [problems for _, problems in faults(store, published(store))] == [[], []]
    assert len(unpack(plan_unpack(store, "small"), tmp_path / "unpacked").cautions) == 1
    bring(store, tmp_path / "out")
    assert len(list((tmp_path / "out" / revocations_path()).iterdir())) == 1
    with pytest.raises(RevocationError):
        read_revocations(store, [PUBLIC])


def test_one_that_is_changed_is_refused_by_every_reader(store, gone, tmp_path, hub):
    revoke_rows(store, gone)
    (path,) = store.list(revocations_path())["path"]
    store.put(path, store.get(path).replace(DATE.encode(), b"2020-01-01"))
    for reader in readers(store, hub):
        with pytest.raises(RevocationError, match=f"{path} is not a revocation as it was signed"):
            reader()


def test_of_a_release_without_a_key_one_that_fits_itself_is_believed(released, tmp_path):
    store = copied(released, ObjectStore(str(tmp_path / "store")))
    forge(store, read_train(store, "small").head(2))
    assert read_train(store, "small").height == 7
    with pytest.raises(RevocationError):
        plan_fetch(store, "small", trusted=[PUBLIC])


def test_a_withdrawn_name_is_told_with_what_is_in_its_place(store, gone):
    revoke_rows(store, gone)
    clear(store)
    assert [manifest.name for manifest in published(store)] == ["small.1"]
    assert [manifest.name for manifest in published(store, ["small"])] == ["small.1"]
    told = f"release 'small' was withdrawn for a revocation of {DATE}: 'small.1' is in its place"
    assert [str(each) for each in withdrawn(store)] == [told]
    assert [str(each) for each in withdrawn(store, ["small.1"])] == []
    assert find_state(store, "small").manifest.name == "small.1"


def test_of_a_withdrawn_name_without_any_image_nothing_is_read(store, tmp_path):
    revoke_rows(store, read_train(store, "small"))
    clear(store)
    assert read_manifest(store, "releases/small.1") is None
    assert published(store) == []
    for reader, error in (
        (lambda: published(store, ["small"]), UnknownRelease),
        (lambda: find_state(store, "small"), UnknownStateError),
        (lambda: plan_unpack(store, "small"), FileNotFoundError),
    ):
        with pytest.raises(error, match=r"was withdrawn .*: no image was left"):
            reader()


def test_a_key_may_be_added_and_the_old_one_counts_on(store, gone):
    """A revocation by a key that configuration or the release names is honoured."""
    forge(store, gone)
    both = [PUBLIC, public_hex(OTHER_KEY)]
    revoke(store, read_train_all(store).head(1), "2027-01-01", KEY, trusted=both)
    assert len(plan_unpack(store, "small", trusted=both).revoked) == 2


def read_train_all(store: ObjectStore) -> pl.DataFrame:
    manifest = read_manifest(store, "releases/small")
    assert manifest is not None
    return pl.read_parquet(store.get(f"{manifest.root}/train.parquet")).select("image_id", "sha256")
