import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from dataproc_assets.explain.subject import UnknownImage, find_subject
from dataproc_assets.release.manifest import read_manifest, verify
from dataproc_assets.release.revocations import read_revocations
from dataproc_assets.release.rows import read_tables
from dataproc_assets.release.signing import SigningKeyError, private_key_from_env, public_hex
from dataproc_assets.storage.layout import release_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.versions import all_versions
from dataproc_assets.takedown import apply as module
from dataproc_assets.takedown.apply import apply
from dataproc_assets.takedown.entries import to_entries
from dataproc_assets.takedown.receipts import Receipt, receipts
from dataproc_assets.takedown.spread import enter_all
from dataproc_assets_tests.defs.posts import TWIN
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.release.versioned import new_bucket
from dataproc_assets_tests.takedown.search import find_all, is_in, unpacked
from dataproc_assets_tests.takedown.twin import NEEDLES, PICTURE

TOLD = ("ledger/", "receipts/")


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A signing key in the environment; its public half."""
    monkeypatch.setenv("DATAPROC_TAKEDOWN_KEY", "11" * 32)
    return public_hex(private_key_from_env())


@pytest.fixture
def world(finished: World, tmp_path: Path, key: str) -> World:
    copy = finished.copy(tmp_path / "copy")
    copy.change("takedown.yaml", lambda conf: conf.update(public_keys=[key]))
    return copy


def take(world: World, kind: str = "key", value: str = TWIN[0], *, only: bool = False) -> None:
    enter_all(world.lake, to_entries([(kind, value, "2026-01-01", "asked")], only))


def carry_out(world: World, *, purging: bool = False) -> Receipt | None:
    say = world.said.append
    return apply(world.lake, world.definitions, world.instance, purging=purging, say=say)


def image_of(store: ObjectStore, name: str) -> set[str]:
    manifest = read_manifest(store, release_path(name))
    assert manifest is not None
    return set(read_tables(store, manifest)["representative"])


def left(store: ObjectStore) -> dict[str, set[str]]:
    found = find_all(store, NEEDLES, PICTURE)
    return {path: hits for path, hits in found.items() if not path.startswith(TOLD)}


def test_a_takedown_is_carried_out_and_told_in_a_receipt(world: World):
    store = world.lake.store
    take(world)
    receipt = carry_out(world)
    assert receipt is not None and receipts(store) == [receipt]
    assert {path.split("/")[0] for path in left(store)} == {"releases"}
    assert receipt.revocation and store.exists(receipt.revocation)
    revoked = read_revocations(store, world.lake.project.takedown.public_keys)
    assert revoked.sha256s == {sha256(PICTURE).hexdigest()}
    changed = {change.path: change for change in receipt.artefacts}
    for path, change in changed.items():
        assert store.exists(path) == (change.after is not None), path
        if change.after:
            assert sha256(store.get(path)).hexdigest() == change.after, path
    assert {image["image_key"] for image in receipt.images} == {*TWIN}
    assert {"inventory", "members", "images", "sanitized"} <= {p.split("/")[1] for p in changed}
    for name in (*TWIN, "pixiv/100"):
        with pytest.raises(
            UnknownImage, match=f"{name}: was taken down on 2026-01-01, by the entry"
        ):
            find_subject(world.lake, name)
    assert carry_out(world) is None
    assert world.run() == []


def test_a_purge_leaves_nothing_of_it_and_the_release_goes_on_under_a_new_name(world: World):
    store = world.lake.store
    before = image_of(store, "demo")
    take(world, "key", TWIN[1])
    receipt = carry_out(world, purging=True)
    assert receipt is not None and receipt.releases == {"demo": "demo.1"}
    assert left(store) == {}
    assert image_of(store, "demo.1") == before - {*TWIN}
    assert verify(store, "demo.1") == []
    assert carry_out(world, purging=True) is None
    assert world.run() == []
    text = receipt.to_json().decode()
    assert "releases/demo/manifest.json" in text and "releases/demo.1/manifest.json" in text


def test_without_a_key_nothing_is_changed_and_the_next_step_is_told(world: World, monkeypatch):
    take(world)
    monkeypatch.delenv("DATAPROC_TAKEDOWN_KEY")
    before = world.lake.store.list()
    with pytest.raises(SigningKeyError, match="`dataproc takedown key FILE` makes one"):
        carry_out(world)
    assert world.lake.store.list().equals(before)


def test_what_no_release_holds_needs_no_key(world: World, monkeypatch):
    monkeypatch.delenv("DATAPROC_TAKEDOWN_KEY")
    take(world, "key", "danbooru/3")
    receipt = carry_out(world)
    assert receipt is not None and receipt.revocation is None
    assert [image["image_key"] for image in receipt.images] == ["danbooru/3"]


def test_a_call_that_was_ended_is_taken_up_and_its_receipt_tells_of_both(world: World, monkeypatch):
    take(world)
    whole = Path(world.lake.store.url)
    shutil.copytree(whole, world.home / "other")

    def ended(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "_purge", ended)  # the tables have forgotten by then
        carry_out(world, purging=True)
    receipt = carry_out(world, purging=True)
    assert receipt is not None and left(world.lake.store) == {}
    assert {image["image_key"] for image in receipt.images} == {*TWIN}
    root = str(world.home / "other")
    world.change("profiles/local.yaml", lambda conf: conf["storage"].update(root=root))
    undisturbed = carry_out(world, purging=True)
    assert undisturbed is not None

    def tables(of: Receipt) -> set[tuple]:  # what depends on when a part was written is left out
        paths = [change for change in of.artefacts if change.path.startswith("stages/")]
        return {(c.path, c.before, c.after) for c in paths if "/manifest.json" not in c.path}

    assert tables(undisturbed) == tables(receipt) != set()
    assert {c.path for c in undisturbed.artefacts} >= {
        "releases/demo/manifest.json",
        "releases/demo.1/manifest.json",
    }


def test_an_image_leaves_three_releases(tmp_path: Path, key: str):
    world = _with_releases(World.crawled(tmp_path / "home"), "second", "third")
    world.change("takedown.yaml", lambda conf: conf.update(public_keys=[key]))
    world.run()
    store = world.lake.store
    assert all(image_of(store, name) & {*TWIN} for name in ("demo", "second", "third"))
    take(world, "hash", sha256(PICTURE).hexdigest())
    receipt = carry_out(world, purging=True)
    assert receipt is not None
    assert receipt.releases == {"demo": "demo.1", "second": "second.1", "third": "third.1"}
    assert left(store) == {}
    assert world.run() == []


@pytest.mark.slow
def test_a_bucket_keeps_no_old_version_of_it(s3, tmp_path: Path, key: str):
    store = new_bucket(versioned=True)
    world = World.crawled(tmp_path)
    world.change(
        "profiles/local.yaml",
        lambda conf: conf["storage"].update(root=store.url, versioning="enable"),
    )
    world.change("takedown.yaml", lambda conf: conf.update(public_keys=[key]))
    world.run()
    assert image_of(store, "demo") & {*TWIN}
    take(world)
    world.run()  # old versions of tables now hold it
    assert _old(store)
    receipt = carry_out(world, purging=True)
    assert receipt is not None and receipt.versions > 0
    assert left(store) == {} and _old(store) == {}
    assert verify(store, "demo.1") == []
    assert world.run() == []


def _with_releases(world: World, *names: str) -> World:
    for name in names:
        shutil.copy(world.conf / "releases" / "demo.yaml", world.conf / "releases" / f"{name}.yaml")
        world.change(f"releases/{name}.yaml", lambda conf, name=name: conf.update(name=name))
    return world


def _old(store: ObjectStore) -> dict[str, set[str]]:
    """Where versions that are not the present ones hold something of it."""
    found: dict[str, set[str]] = {}
    for entry in all_versions(store, ""):
        if entry.deleted or entry.path.startswith(TOLD):
            continue
        for _, data in unpacked(entry.path, store.get(entry.path, version=entry.version)):
            hits = {name for name, needle in NEEDLES.items() if is_in(needle, data)}
            if hits:
                found.setdefault(f"{entry.path} {entry.version}", set()).update(hits)
    return found
