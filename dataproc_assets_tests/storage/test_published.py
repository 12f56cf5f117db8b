import json

from dataproc_assets.storage.layout import release_path
from dataproc_assets.storage.published import published_manifest, published_state


def test_a_state_is_not_what_a_bucket_calls_the_versions(store):
    assert published_manifest(store, "release", "demo") is None
    states = {published_state(store, "release", "demo")}
    assert states == {""}
    for version in ("one", "two"):
        files = {"train.parquet": {"sha256": "0", "size": 1, "rows": 1, "version": version}}
        data = json.dumps({"files": files}).encode()
        store.put(f"{release_path('demo')}/manifest.json", data)
        states.add(published_state(store, "release", "demo"))
    assert len(states) == 2
