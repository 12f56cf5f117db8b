"""A purge where a bucket's old versions hold an image, or another release of the name."""

from dataproc_assets.release.publish import read_train
from dataproc_assets.release.states import states
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import manifest_of, run
from dataproc_assets_tests.release.purging import CONFIG, clear, traces, without
from dataproc_assets_tests.release.revoking import revoke_rows
from dataproc_assets_tests.release.versioned import delete_all, new_bucket
from dataproc_assets_tests.stores import contents, copied


def test_only_past_states_hold_it(s3, crawl):
    """The published state has not the image: it stays, as do past states without it."""
    store = new_bucket(versioned=True)
    everything = release_config()
    one = run(store, crawl, everything).manifest
    gone = read_train(store, "small").head(1)
    delete_all(store)
    past = run(store, without(crawl, gone), everything).manifest
    delete_all(store)
    again = release_config(title="Once more")
    run(store, without(crawl, gone), again)
    present = contents(store)
    assert len(states(store, "releases/small")) == 3 and traces(store, crawl, gone)

    revoked = revoke_rows(store, gone)
    done = clear(store, revoked)
    assert done is not None and done.successor is None and done.versions > len(one.files)
    assert f"{one.root}/train.parquet" in {a.path for a in done.artefacts}
    assert traces(store, crawl, gone) == []
    assert {p: d for p, d in contents(store).items() if "revocations/" not in p} == present
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
    run(store, without(crawl, gone), CONFIG)
    store.put("releases/small/0123456789abcdef/train.parquet", data)
    store.delete("releases/small/0123456789abcdef/train.parquet")
    clear(store, revoke_rows(store, gone))
    assert traces(store, crawl, gone) == []


def test_latents_of_another_release_of_the_name_go_with_what_was_learned_from_them(
    purgeable, tmp_path, crawl
):
    store = copied(purgeable, ObjectStore(str(tmp_path / "store")))
    gone = read_train(store, "small").head(1)
    for path in store.list("releases")["path"]:
        store.delete(path)
    run(store, without(crawl, gone), CONFIG)
    release = contents(store)
    done = clear(store, revoke_rows(store, gone))
    assert done is not None and done.successor is None
    assert store.list("latents").is_empty() and store.list("denoisers").is_empty()
    assert [p for p in contents(store) if p.startswith("releases/")] == [
        p for p in release if p.startswith("releases/")
    ]
    assert traces(store, crawl, gone) == []
