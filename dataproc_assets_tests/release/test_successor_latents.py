import numpy as np
import polars as pl
import pytest

from dataproc_assets.loader import LatentBatches
from dataproc_assets.release.encoded import latent_index
from dataproc_assets.release.latents import publish_latents
from dataproc_assets.release.publish import read_train
from dataproc_assets_tests.jobs.encoding import drawn_vae
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.release.purging import CONFIG, clear, store
from dataproc_assets_tests.release.revoking import revoke_rows
from dataproc_assets_tests.stores import contents

__all__ = ["store"]  # a fixture


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


@pytest.fixture
def vae_fingerprint(purgeable) -> str:
    return purgeable.list("units/latents")["path"][0].split("/")[2]


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


def test_the_latents_are_what_would_be_assembled_anew(store, purgeable, tmp_path_factory, crawl):
    gone = read_train(store, "small").head(1)
    clear(store, revoke_rows(store, gone))
    before = contents(store)
    vae = drawn_vae(tmp_path_factory.mktemp("vae"))
    done = publish_latents(store, CONFIG, vae, WHITE, code_version="1")
    assert not done.created and done.manifest.name == "small.1"
    assert contents(store) == before
