from dataproc_assets.storage.upload import upload_folder


def test_a_folder_is_copied_once_and_what_changed_again(store, tmp_path):
    folder = tmp_path / "crawl"
    (folder / "a").mkdir(parents=True)
    (folder / "a/1.jpg").write_bytes(b"one")
    (folder / "ü 2.jpg").write_bytes(b"two")
    (folder / "link").symlink_to("/etc/passwd")
    assert upload_folder(store, folder) == (2, 0)
    assert store.list()["path"].to_list() == ["a/1.jpg", "ü 2.jpg"]
    assert store.get("ü 2.jpg") == b"two"
    before = store.list()
    assert upload_folder(store, folder) == (0, 2)
    assert store.list().equals(before)
    (folder / "a/1.jpg").write_bytes(b"ONE")
    assert upload_folder(store, folder) == (1, 1)
    assert store.get("a/1.jpg") == b"ONE"
