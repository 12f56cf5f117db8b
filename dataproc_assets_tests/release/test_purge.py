"""A purge, looked for in every byte, on a folder and on a bucket that keeps versions."""

import json
from pathlib import Path

import pytest

from dataproc_assets.release.build import clean
from dataproc_assets.release.latent_checks import check_latents
from dataproc_assets.release.manifest import read_manifest, verify, verify_latents
from dataproc_assets.release.publish import WithdrawnError, read_train
from dataproc_assets.release.revocations import Revoked, read_revocations
from dataproc_assets.release.scrub import Artefact
from dataproc_assets.release.states import states
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.versions import all_versions
from dataproc_assets.storage.withdrawn import present_name
from dataproc_assets_tests.release.making import manifest_of, run
from dataproc_assets_tests.release.purging import CONFIG, clear, samples, store, traces
from dataproc_assets_tests.release.revoking import DATE, PUBLIC, revoke_rows
from dataproc_assets_tests.stores import contents

__all__ = ["store"]  # a fixture


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
    before = contents(store)
    revoked = revoke_rows(store, read_train(store, "small").head(1))
    done = clear(store, revoked)
    assert done is not None
    after = {path: data for path, data in contents(store).items() if "revocations/" not in path}
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


def test_twice_does_nothing_more(store):
    rows = read_train(store, "small")
    revoked = revoke_rows(store, rows.head(1))
    clear(store, revoked)
    before = contents(store)
    assert clear(store, revoked) is None and clear(store, revoked, "small.1") is None
    assert contents(store) == before
    assert clear(store, Revoked(), "small.1") is None


def test_the_name_is_never_given_again(store, crawl):
    clear(store, revoke_rows(store, read_train(store, "small").head(1)))
    before = contents(store)
    with pytest.raises(WithdrawnError, match=r"'small\.1' is in its place.* with a new `name`"):
        run(store, crawl, CONFIG)
    assert contents(store) == before


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
    assert [p for p in contents(store) if "/small/" in p] == ["releases/small/withdrawn.json"]


def test_cleaning_keeps_what_says_that_a_release_was_withdrawn(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    run(store, crawl)
    store.put("releases/small/withdrawn.json", b"x")
    store.put("releases/small/left", b"x")
    assert clean(store, "releases/small") == ["releases/small/left"]


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
