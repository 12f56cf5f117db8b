import pytest

from dataproc_assets.storage.address import read_address


def test_a_whole_object_and_a_member_are_read_by_their_addresses(store):
    store.put("in/shard.tar", b"..image..")
    uri = store.uri("in/shard.tar")
    assert read_address(uri, None, None) == b"..image.."
    assert read_address(uri, 2, 5) == b"image"
    assert read_address(uri, 2, 0) == b""


def test_what_is_not_there_is_an_error(store):
    store.put("short", b"abc")
    with pytest.raises(FileNotFoundError):
        read_address(store.uri("none"), None, None)
    with pytest.raises(EOFError):
        read_address(store.uri("short"), 2, 5)
    with pytest.raises(ValueError, match="path"):
        read_address(store.uri("../short"), None, None)
