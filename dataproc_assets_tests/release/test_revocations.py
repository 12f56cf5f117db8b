import json
import stat

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.release.revocations import (
    RevocationError,
    Revoked,
    read_revocations,
    revoke,
)
from dataproc_assets.release.signing import (
    VARIABLE,
    SigningKeyError,
    new_key,
    private_key_from_env,
    public_hex,
    write_key,
)
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.revoking import DATE, KEY, OTHER_KEY, PUBLIC

IMAGES = pl.DataFrame(
    {"image_id": ["b" * 32, "a" * 32], "sha256": ["2" * 64, "1" * 64], "representative": ["x", "y"]}
)
OTHER = pl.DataFrame({"image_id": ["c" * 32], "sha256": ["3" * 64]})


def add(store: ObjectStore, images: pl.DataFrame = IMAGES, date: str = DATE, key=KEY):
    return revoke(store, images, date, key, trusted=[public_hex(key)])


def only_file(store: ObjectStore) -> str:
    (path,) = store.list("ledger/revocations")["path"]
    return path


def test_what_is_revoked_is_read_by_whoever_trusts_the_key(store):
    done = add(store)
    assert done is not None and done.images == 2
    assert done.path == only_file(store) == f"ledger/revocations/{done.digest}.json"
    for trusted in ([PUBLIC], [PUBLIC, public_hex(OTHER_KEY)], []):
        revoked = read_revocations(store, trusted)
        assert revoked.image_ids == {"a" * 32, "b" * 32}
        assert revoked.sha256s == {"1" * 64, "2" * 64}
        assert revoked.files == {done.path: store.get(done.path)}
    assert not read_revocations(ObjectStore(f"{store.url}/none"))
    assert store.list()["path"].to_list() == [done.path]


def test_a_file_tells_images_and_nothing_else(store):
    done = add(store)
    assert done is not None
    value = json.loads(store.get(done.path))
    assert sorted(value) == ["date", "format", "images", "public_key", "signature"]
    assert value["images"] == [
        {"image_id": "a" * 32, "sha256": "1" * 64},
        {"image_id": "b" * 32, "sha256": "2" * 64},
    ]


def test_again_appends_only_what_is_new(store):
    first = add(store)
    assert first is not None
    before = store.get(first.path)
    assert add(store) is None
    assert add(store, IMAGES.reverse(), "2027-01-01") is None
    second = add(store, pl.concat([IMAGES.drop("representative"), OTHER]), "2027-01-01")
    assert second is not None and second.images == 1
    assert store.get(first.path) == before
    revoked = read_revocations(store, [PUBLIC])
    assert len(revoked.sha256s) == 3
    assert revoked.date_of(["1" * 64]) == DATE
    assert revoked.date_of(["1" * 64, "3" * 64]) == "2027-01-01"


def test_the_order_of_rows_changes_no_byte(both):
    one, other = both
    assert add(one) == add(other, IMAGES.reverse())
    assert one.get(only_file(one)) == other.get(only_file(other))


def test_bytes_count_wherever_they_are_and_an_id_alone_does_not(store):
    add(store)
    revoked = read_revocations(store)
    rows = pl.DataFrame(
        {"image_id": ["a" * 32, "z" * 32, "y" * 32], "sha256": ["9" * 64, "2" * 64, "8" * 64]}
    )
    assert revoked.among(rows)["image_id"].to_list() == ["z" * 32]
    assert revoked.without(rows)["image_id"].to_list() == ["a" * 32, "y" * 32]
    assert Revoked().without(rows).equals(rows) and Revoked().among(rows).is_empty()


@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_no_changed_byte_is_believed(tmp_path_factory, place, change):
    store = ObjectStore(str(tmp_path_factory.mktemp("store")))
    done = add(store)
    assert done is not None
    data = bytearray(store.get(done.path))
    data[place % len(data)] ^= change
    store.put(done.path, bytes(data))
    with pytest.raises(RevocationError, match=f"{done.path} is not a revocation as it was signed"):
        read_revocations(store, [PUBLIC])


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b"{}", b"\xff", b'{"format": 2}'])
def test_what_is_no_revocation_is_not_passed_over(store, data):
    store.put(f"ledger/revocations/{'0' * 64}.json", data)
    with pytest.raises(RevocationError, match="restore it from a copy"):
        read_revocations(store)


def test_a_true_one_under_another_name_is_refused(store):
    path = only_file(store) if add(store) else ""
    for name in (f"ledger/revocations/{'0' * 64}.json", "ledger/revocations/notes.txt"):
        store.put(name, store.get(path))
        with pytest.raises(RevocationError, match=name):
            read_revocations(store)
        store.delete(name)


def test_one_signed_by_another_is_refused_by_its_key(store):
    add(store, key=OTHER_KEY)
    with pytest.raises(RevocationError, match=f"signed by the key {public_hex(OTHER_KEY)}, which"):
        read_revocations(store, [PUBLIC])
    with pytest.raises(RevocationError, match="find out who wrote it"):
        add(store, OTHER)
    assert read_revocations(store).sha256s == {"1" * 64, "2" * 64}


def test_a_signature_of_another_for_a_trusted_key_is_refused(store):
    add(store)
    path = only_file(store)
    value = json.loads(store.get(path))
    forged = value | {"signature": OTHER_KEY.sign(b"anything").hex()}
    store.put(path, f"{json.dumps(forged, indent=1, sort_keys=True)}\n".encode())
    with pytest.raises(RevocationError, match="is not a revocation as it was signed"):
        read_revocations(store, [PUBLIC])


def test_without_a_configured_key_nothing_is_revoked(store):
    for trusted, said in (
        ([], "names no key"),
        ([public_hex(OTHER_KEY)], "does not name this one"),
    ):
        with pytest.raises(RevocationError, match=rf"{said}: add it to public_keys there"):
            revoke(store, IMAGES, DATE, KEY, trusted=trusted)
    assert store.list("ledger/revocations").is_empty()
    with pytest.raises(ValueError, match="Invalid isoformat"):
        add(store, date="yesterday")


def test_the_key_comes_from_the_environment_or_a_file_and_is_never_told(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SigningKeyError, match="dataproc takedown key"):
        private_key_from_env()
    key = new_key()
    seed = key.private_bytes_raw().hex()
    write_key(tmp_path / "key.pem", key)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_key(tmp_path / "key.pem", key)
    (tmp_path / "key.txt").write_text(f"{seed}\n")
    for value in (seed, str(tmp_path / "key.pem"), str(tmp_path / "key.txt")):
        monkeypatch.setenv(VARIABLE, value)
        assert public_hex(private_key_from_env()) == public_hex(key)
    (tmp_path / "other").write_text("secret words")
    for value in (seed[:-1], seed + "0", "/none/secret", str(tmp_path / "other")):
        monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(SigningKeyError, match="dataproc takedown key") as caught:
            private_key_from_env()
        assert value not in str(caught.value) and "secret words" not in str(caught.value)
