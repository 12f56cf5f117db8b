import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.push import Pushed, PushError, push
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.hub import TOKEN, Hub, writable_hub
from dataproc_assets_tests.release.making import run, tree

REPO = "ada/small"
COMMIT = rf"POST /api/datasets/{REPO}/commit/"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that takes large files by HTTP: its own protocol for them has no server here."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with writable_hub() as server:
        yield server


@pytest.fixture(scope="module")
def released(tmp_path_factory, crawl) -> ObjectStore:
    store = ObjectStore(str(tmp_path_factory.mktemp("released")))
    run(store, crawl)
    return store


def send(store: ObjectStore, hub: Hub, repo: str = REPO, token: str = TOKEN, **changes) -> Pushed:
    return push(store, "small", repo, token=token, endpoint=hub.url, **changes)


def published(store: ObjectStore) -> dict[str, bytes]:
    """What the repository must hold: the release's files, and its manifest."""
    manifest = read_manifest(store, "releases/small")
    assert manifest is not None
    files = {path: store.get(f"{manifest.root}/{path}") for path in manifest.files}
    return files | {"manifest.json": store.get("releases/small/manifest.json")}


def held(hub: Hub, revision: str = "main") -> dict[str, bytes]:
    return {p: d for p, d in hub.content(REPO, revision).items() if p != ".gitattributes"}


def test_every_file_arrives_and_the_manifest_with_the_last_commit(released, hub, monkeypatch):
    monkeypatch.setattr("dataproc_assets.release.push.COMMIT", 4)
    told: list[int] = []
    done = send(released, hub, seen=told.append)
    files = published(released)
    assert held(hub) == files
    assert done.sent == len(files)
    assert done.url == f"{hub.url}/datasets/{REPO}/tree/main"
    commits = list(hub.repos[REPO].commits.values())
    assert commits[-1].id == done.commit
    assert len(commits) == 4  # the hub's own, two of data, the last
    assert [("manifest.json" in c.files, "README.md" in c.files) for c in commits[:-1]] == [
        (False, False)
    ] * 3
    large = {path for path, file in commits[-1].files.items() if isinstance(file, str)}
    assert large == {path for path in files if path.endswith((".tar", ".parquet"))}
    assert sum(told) == sum(map(len, files.values())) - len(files["manifest.json"])
    assert hub.repos[REPO].visibility == "private"


def test_a_public_repository_is_made_only_where_asked(released, hub):
    send(released, hub, private=False)
    assert hub.repos[REPO].visibility == "public"


def test_again_nothing_is_sent_and_no_commit_made(released, hub):
    first = send(released, hub)
    before = list(hub.requests)
    again = send(released, hub)
    assert (again.sent, again.commit) == (0, first.commit)
    assert not [r for r in hub.requests[len(before) :] if "/large/" in r or "/commit/" in r]


def test_a_file_that_was_changed_on_the_hub_is_sent_again(released, hub):
    send(released, hub)
    repo = hub.repos[REPO]
    files = repo.commits[repo.branches["main"]].files
    lost = {path: file for path, file in files.items() if path != "webdataset/train-00000.tar"}
    repo.add("main", "by hand", lost | {"README.md": b"---\n---\nother"})
    assert send(released, hub).sent == 2
    assert held(hub) == published(released)


def test_from_s3_too(released, hub, s3_url):
    remote = ObjectStore(s3_url)
    for path, data in tree(Path(released.url)).items():
        remote.put(path, data)
    send(remote, hub)
    assert held(hub) == published(released)


def test_a_push_that_failed_goes_on_and_shows_no_manifest_before(released, hub, monkeypatch):
    monkeypatch.setattr("dataproc_assets.release.push.COMMIT", 2)
    hub.failures += [(COMMIT, 0), (COMMIT, 0), (COMMIT, 503)]
    with pytest.raises(PushError, match=r"the hub answered 503 .*: what arrived is not sent again"):
        send(released, hub)
    assert "manifest.json" not in held(hub)
    puts = hub.count("PUT /large/")
    assert puts
    send(released, hub)
    assert held(hub) == published(released)
    large = [path for path in held(hub) if path.endswith((".tar", ".parquet"))]
    assert hub.count("PUT /large/") == len(large)


def test_a_passing_error_of_the_store_of_large_files_is_outlived(released, hub):
    hub.failures.append((r"PUT /large/", 500))
    send(released, hub)
    assert held(hub) == published(released)


def test_another_release_is_refused_and_may_go_to_a_new_branch(released, hub, crawl, tmp_path):
    send(released, hub)
    other = ObjectStore(str(tmp_path))
    run(other, crawl, release_config(title="Another", formats=["parquet", "huggingface"]))
    before = hub.repos[REPO].branches["main"]
    with pytest.raises(PushError, match=r"holds release 'small' .* name a new branch with --rev"):
        send(other, hub)
    assert hub.repos[REPO].branches == {"main": before}
    done = send(other, hub, revision="v2")
    assert done.url.endswith("/tree/v2")
    assert held(hub, "v2") == published(other)
    assert held(hub) == published(released)
    assert send(other, hub, revision="v2").sent == 0
    with pytest.raises(PushError, match="holds release 'small'"):
        send(released, hub, revision="v2")


def test_files_of_someone_are_left_alone(released, hub):
    hub.create(REPO).add("main", "mine", {"thesis.txt": b"x", "README.md": b"mine"})
    with pytest.raises(PushError, match=r"holds 1 files that are not of .*first: thesis\.txt"):
        send(released, hub)
    assert held(hub) == {"thesis.txt": b"x", "README.md": b"mine"}


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"files": {}}', b'{"files": 3}'])
def test_a_manifest_of_something_else_is_no_release(released, hub, text):
    hub.create(REPO).add("main", "mine", {"manifest.json": text})
    with pytest.raises(PushError, match=r"has a manifest\.json that is no release's"):
        send(released, hub)


def test_a_damaged_release_is_not_sent(hub, crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    published = run(store, crawl)
    shard = tmp_path / published.manifest.root / "webdataset/train-00000.tar"
    shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(PushError, match=r"damaged; nothing was sent:\n.*train-00000\.tar"):
        send(store, hub)
    assert hub.requests == []


def test_what_got_lost_on_the_hub_s_side_is_told(released, hub):
    hub.broken = True
    with pytest.raises(PushError, match=r"files did not arrive .*first: webdataset/"):
        send(released, hub)


def test_a_commit_that_came_between_ends_the_push(released, hub, monkeypatch):
    monkeypatch.setattr("dataproc_assets.release.push.COMMIT", 2)

    def seen(_: int) -> None:
        hub.repos[REPO].add("main", "between", {})

    with pytest.raises(PushError, match=r"someone else committed here meanwhile \(412"):
        send(released, hub, seen=seen)
    assert "manifest.json" not in held(hub)


@pytest.mark.parametrize(
    ("repo", "token", "said"),
    [
        (REPO, "hf_of_a_stranger", r"does not let HF_TOKEN write here \(401"),
        ("others/small", TOKEN, r"does not let HF_TOKEN write here \(403"),
        ("no repo", TOKEN, "HFValidationError"),
    ],
)
def test_who_may_not_is_told_and_no_token_is_shown(released, hub, caplog, capfd, repo, token, said):
    with caplog.at_level(logging.DEBUG), pytest.raises(PushError, match=said) as refused:
        send(released, hub, repo, token)
    shown = "".join(capfd.readouterr()) + caplog.text + str(refused.value)
    assert token not in shown
    assert hub.large == {}


def test_a_hub_that_is_not_there_is_named(released, monkeypatch):
    with pytest.raises(PushError, match=r"http://127\.0\.0\.1:9/datasets/ada/small/.*Connect"):
        push(released, "small", REPO, token=TOKEN, endpoint="http://127.0.0.1:9")


def test_a_release_that_is_none(hub, tmp_path):
    with pytest.raises(FileNotFoundError, match="'small' is not published"):
        send(ObjectStore(str(tmp_path)), hub)


LOADED = """
import json, re, sys
from huggingface_hub import hf_hub_download

repo = sys.argv[1]
card = open(hf_hub_download(repo, "README.md", repo_type="dataset")).read()
table_code, _, images_code = re.search("```python\\n(.*?)```", card, re.S)[1].rpartition("\\n\\n")
here = repo
exec(table_code)
here = f"hf://datasets/{repo}"
exec(images_code)
print(json.dumps({
    "table": table["image_id"][:],
    "tags": table[0]["tags"][0]["tag"],
    "images": [[row["__key__"], row["txt"]] for row in images],
    "sizes": [(row["png"] or row["jpg"] or row["webp"]).size for row in images],
}))
"""


def test_what_was_pushed_loads_as_its_card_says(released, hub, tmp_path):
    send(released, hub)
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED, REPO],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr[-4000:]
    found = json.loads(loaded.stdout)
    train = read_train(released, "small")
    assert found["table"] == train["image_id"].to_list()
    assert found["tags"] == "1girl"
    assert found["images"] == [
        [row["image_id"], row["prompts__animagine"][0]] for row in train.iter_rows(named=True)
    ]
    assert found["sizes"] == [list(size) for size in train.select("width", "height").iter_rows()]
