"""The metric pass over real pictures with models of every kind that is made on the spot."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch
from PIL import Image

from dataproc_assets.models.columns import metric_columns
from dataproc_assets.storage.layout import done_path
from dataproc_assets.storage.objects import open_store
from dataproc_assets_tests.jobs.passes import (
    part_of,
    pass_job,
    read_part,
    run_here,
    write_pictures,
)
from dataproc_assets_tests.models.made import RATINGS, WHEN, coca_captioner, onnx, tagger
from dataproc_assets_tests.models.pictures import METRIC, scene

RATING_COLUMNS = [f"tagger_rating_{name}" for name in RATINGS]


def pictures(folder: Path, metrics: list[str]):
    """Three drawn pictures and a file that is none."""
    rows = write_pictures(folder, 4, metrics)
    for index in range(3):
        scene(index, 200 + 40 * index, 180).save(folder / f"{index}.png")
    (folder / "3.png").write_bytes(b"not a picture")
    return rows


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> dict[str, pl.DataFrame]:
    """The tagger's part of either backend, over the same pictures."""
    folder = tmp_path_factory.mktemp("kinds")
    rows = pictures(folder / "crawl", ["tagger"])
    found = {}
    for backend in ("timm", "onnx"):
        config = tagger(folder, backend)
        run_here(pass_job(folder / backend, {"u": rows}, (config,)), folder / backend)
        found[backend] = read_part(folder / backend, config, "u")
        columns = metric_columns(config)
        assert {name: found[backend].schema[name] for name in columns} == dict(columns)
    return found


@pytest.mark.parametrize("backend", ["timm", "onnx"])
def test_a_tagger_writes_tags_and_ratings_of_every_picture(parts, backend):
    part = parts[backend]
    assert part["status"].to_list() == ["ok", "ok", "ok", "failed"]
    assert part["tagger_tags"].is_null().to_list() == [False, False, False, True]
    assert part["tagger_tags"].list.len().to_list()[:3] != [0, 0, 0]
    ratings = part.select(RATING_COLUMNS)
    assert [None in row for row in ratings.rows()] == [False, False, False, True]
    assert ratings[:3].unique().height == 3


def test_both_backends_write_the_same_within_rounding(parts):
    one, two = parts["timm"], parts["onnx"]
    for ours, theirs in zip(one["tagger_tags"][:3], two["tagger_tags"][:3], strict=True):
        mine, other = ({t["tag"]: (t["category"], t["p"]) for t in tags} for tags in (ours, theirs))
        assert {tag: kind for tag, (kind, _) in mine.items()} == {
            tag: kind for tag, (kind, _) in other.items()
        }
        assert all(mine[tag][1] == pytest.approx(other[tag][1], abs=2.1e-4) for tag in mine)
    gap = (one.select(RATING_COLUMNS)[:3] - two.select(RATING_COLUMNS)[:3]).to_numpy()
    assert abs(gap).max() < 2.1e-4


def test_a_captioner_writes_a_text_for_each_picture(tmp_path):
    rows = pictures(tmp_path / "crawl", ["caption"])
    config = coca_captioner(tmp_path)
    job = pass_job(tmp_path / "store", {"u": rows}, (config,))
    run_here(job, tmp_path)
    part = read_part(tmp_path / "store", config, "u")
    assert part["status"].to_list() == ["ok", "ok", "ok", "failed"]
    assert part["caption_text"].is_null().to_list() == [False, False, False, True]
    assert part["caption_text"].drop_nulls().n_unique() > 1
    sure = part["caption_mean_token_p"].drop_nulls()
    assert sure.len() == 3 and sure.is_between(0, 1).all()


class Brightness(torch.nn.Module):
    """A classifier of two classes that has no finite output for a black picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = x.mean(dim=(2, 3))[:, :1]
        return torch.cat([bright.log(), -bright], dim=1)


def test_a_picture_to_which_a_model_gives_no_finite_number_is_a_failed_row(tmp_path):
    metrics = ["bright", "pixels"]
    rows = write_pictures(tmp_path / "crawl", 3, metrics)
    Image.new("RGB", (30, 20)).save(tmp_path / "crawl" / "1.png")
    config = METRIC.validate_python(
        {
            **WHEN,
            "name": "bright",
            "kind": "onnx_classifier",
            "weights": onnx(tmp_path / "b.onnx", Brightness(), (3, 32, 32)),
            "input": {"side": 32, "mean": [0.0] * 3, "std": [255.0] * 3},
            "classes": ["yes", "no"],
            "output": "logits",
        }
    )
    store = tmp_path / "store"

    progress = run_here(pass_job(store, {"u": rows}, (config, "pixels")), tmp_path)

    part = read_part(store, config, "u")
    assert part["status"].to_list() == ["ok", "failed", "ok"]
    error = "not_finite: the model gave NaN or an infinite number"
    assert part["error"].to_list() == [None, error, None]
    assert part["bright_yes"].is_null().to_list() == [False, True, False]
    assert part["bright_no"].is_null().to_list() == [False, True, False]
    assert (progress["done"], progress["errors"]) == (3, {"not_finite": 1})
    about = json.loads(open_store(str(store)).get(done_path(part_of(config, "u"))))
    assert (about["ok"], about["failed"], about["retry"]) == (2, {"not_finite": 1}, 0)
    assert read_part(store, "pixels", "u")["status"].to_list() == ["ok"] * 3
