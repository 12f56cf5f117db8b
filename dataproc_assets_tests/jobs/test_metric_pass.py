import hashlib
import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dataproc_assets.config.metrics import OnnxClassifier
from dataproc_assets.jobs.read import StorageOutageError
from dataproc_assets.models.columns import metric_columns
from dataproc_assets.models.load import load_model
from dataproc_assets.models.weights import WeightsError
from dataproc_assets.runners import JobFailed, Progress, make_runner
from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.layout import done_path
from dataproc_assets.storage.objects import open_store
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.passes import (
    metric,
    part_of,
    parts,
    pass_job,
    read_part,
    run_here,
    workers,
    write_pictures,
    write_tar,
)

PIXELS = ["pixels"]


def statistics(store: Path, name: str, unit: str) -> dict:
    return json.loads(open_store(str(store)).get(done_path(part_of(name, unit))))


def test_every_image_has_a_row_whatever_it_is(tmp_path: Path) -> None:
    store, crawl = tmp_path / "store", tmp_path / "crawl"
    rows = write_pictures(crawl, 3, PIXELS)
    (crawl / "1.png").write_bytes(b"not a picture")
    rows.append(("pixiv/0_p1", "v", str(crawl / "gone.png"), None, None, PIXELS))

    progress = run_here(pass_job(store, {"u": rows}, ("pixels",)), tmp_path)

    part = read_part(store, "pixels", "u")
    assert part.select("image_key", "version", "status", "error").rows() == [
        ("pixiv/0_p0", "v0", "ok", None),
        ("pixiv/0_p1", "v", "retry", "missing"),
        ("pixiv/1_p0", "v1", "failed", "not_an_image"),
        ("pixiv/2_p0", "v2", "ok", None),
    ]
    assert part["pixels_width"].to_list() == [24, None, None, 26]
    digest = hashlib.sha256((crawl / "2.png").read_bytes()).hexdigest()
    assert part["pixels_sha256"].to_list()[3] == digest
    assert (progress["done"], progress["total"], progress["parts"]) == (4, 4, 1)
    assert progress["errors"] == {"missing": 1, "not_an_image": 1}
    about = statistics(store, "pixels", "u")
    assert (about["rows"], about["ok"], about["retry"]) == (4, 2, 1)
    assert about["failed"] == {"not_an_image": 1}
    assert about["device"] == "cpu"
    assert about["digest"] == frame_digest(part)
    assert set(about["seconds"]) == {"read", "decode", "model", "write"}
    assert about["asked"] == {"pixels": 4} and about["wall_seconds"] > 0


def test_parts_do_not_depend_on_workers_readers_or_row_order(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path / "crawl", 12, PIXELS)
    units = {f"u{index}": rows[index * 4 : index * 4 + 4] for index in range(3)}
    turned = {unit: list(reversed(rows)) for unit, rows in units.items()}

    run_here(pass_job(tmp_path / "one", units, ("pixels",)), tmp_path / "a", readers=1)
    job = pass_job(tmp_path / "two", turned, ("pixels",))
    done = [run_here(job, tmp_path / "b", rank, world=2, readers=3)["done"] for rank in (0, 1)]

    assert done == [8, 4]
    assert len(parts(tmp_path / "one")) == 3
    assert parts(tmp_path / "one") == parts(tmp_path / "two")


def test_members_of_a_tar_are_read_by_address(tmp_path: Path) -> None:
    files = write_pictures(tmp_path / "crawl", 5, PIXELS)
    members = write_tar(tmp_path / "shard.tar", 5, PIXELS)

    run_here(pass_job(tmp_path / "files", {"u": files}, ("pixels",)), tmp_path / "a")
    run_here(pass_job(tmp_path / "tars", {"u": members}, ("pixels",)), tmp_path / "b")

    assert read_part(tmp_path / "tars", "pixels", "u")["status"].to_list() == ["ok"] * 5
    assert parts(tmp_path / "files") == parts(tmp_path / "tars")


def test_a_shard_that_became_shorter_is_retried(tmp_path: Path) -> None:
    members = write_tar(tmp_path / "shard.tar", 2, PIXELS)
    whole = (tmp_path / "shard.tar").read_bytes()
    offset = members[1][3]
    assert offset is not None
    (tmp_path / "shard.tar").write_bytes(whole[: offset + 10])

    run_here(pass_job(tmp_path / "store", {"u": members}, ("pixels",)), tmp_path)

    part = read_part(tmp_path / "store", "pixels", "u")
    assert part["status"].to_list() == ["ok", "retry"]


def test_an_image_gets_only_the_metrics_that_it_lacks(tmp_path: Path) -> None:
    store = tmp_path / "store"
    rows = write_pictures(tmp_path / "crawl", 4, PIXELS)
    wants = [["pixels"], ["pixels", "softmax"], ["softmax"], ["pixels"]]
    rows = [(*row[:5], want) for row, want in zip(rows, wants, strict=True)]

    run_here(pass_job(store, {"u": rows}, ("pixels", "softmax")), tmp_path)

    pixels, softmax = (read_part(store, name, "u") for name in ("pixels", "softmax"))
    assert pixels["image_key"].to_list() == ["pixiv/0_p0", "pixiv/1_p0", "pixiv/3_p0"]
    assert pixels["pixels_width"].to_list() == [24, 25, 27]
    assert softmax["image_key"].to_list() == ["pixiv/1_p0", "pixiv/2_p0"]
    assert softmax["softmax_nsfw"].null_count() == 0


def test_an_embedding_is_written_beside_a_row_that_failed(tmp_path: Path) -> None:
    store, crawl = tmp_path / "store", tmp_path / "crawl"
    try:
        load_model(metric("clip"))
    except WeightsError as error:
        pytest.skip(f"needs the weights of clip: {error}")
    rows = write_pictures(crawl, 3, ["clip", "pixels"])
    (crawl / "1.png").write_bytes(b"lost")

    run_here(pass_job(store, {"u": rows}, ("clip", "pixels")), tmp_path)

    part = read_part(store, "clip", "u")
    embedding = part["clip_embedding"]
    assert embedding.dtype == metric_columns(metric("clip"))["clip_embedding"]
    assert embedding.is_null().to_list() == [False, True, False]
    norms = np.linalg.norm(embedding.drop_nulls().to_numpy().astype(np.float32), axis=1)
    assert norms == pytest.approx([1, 1], abs=2e-3)
    assert read_part(store, "pixels", "u")["status"].to_list() == ["ok", "failed", "ok"]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    store = tmp_path / "store"
    rows = write_pictures(tmp_path / "crawl", 3, PIXELS)
    job = pass_job(store, {"u": rows[:2], "v": rows[2:]}, ("pixels",))
    run_here(job, tmp_path)
    (tmp_path / "crawl" / "0.png").unlink()
    open_store(str(store)).delete(done_path(part_of("pixels", "v")))

    progress = run_here(job, tmp_path)

    assert (progress["done"], progress["parts"]) == (3, 1)
    assert read_part(store, "pixels", "u")["status"].to_list() == ["ok", "ok"]


def test_a_part_with_rows_to_retry_is_made_again(tmp_path: Path) -> None:
    store, crawl = tmp_path / "store", tmp_path / "crawl"
    rows = write_pictures(crawl, 2, PIXELS)
    job = pass_job(store, {"u": rows}, ("pixels",))
    late = (crawl / "1.png").read_bytes()
    (crawl / "1.png").unlink()
    run_here(job, tmp_path)
    assert read_part(store, "pixels", "u")["status"].to_list() == ["ok", "retry"]

    (crawl / "1.png").write_bytes(late)
    run_here(job, tmp_path)

    assert read_part(store, "pixels", "u")["status"].to_list() == ["ok", "ok"]
    assert statistics(store, "pixels", "u")["retry"] == 0


@pytest.mark.slow
def test_two_processes_write_the_parts_that_one_writes(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path / "crawl", 6, PIXELS)
    units = {f"u{index}": rows[index * 2 : index * 2 + 2] for index in range(3)}

    run_here(pass_job(tmp_path / "one", units, ("pixels",)), tmp_path)
    result = make_runner(runner_config(processes=2)).run(
        pass_job(tmp_path / "two", units, ("pixels",))
    )

    assert (result.workers, result.progress.done, result.progress.parts) == (2, 6, 3)
    assert parts(tmp_path / "one") == parts(tmp_path / "two")


@pytest.mark.slow
def test_a_wrong_configuration_is_the_jobs_reason(tmp_path: Path) -> None:
    job = pass_job(tmp_path / "store", {}, ("pixels",))
    wrong = replace(job, config={**job.config, "sauce": "pixiv"})

    with pytest.raises(JobFailed, match=r"worker 0: ValidationError(.|\n)*sauce"):
        make_runner(runner_config()).run(wrong)


@pytest.mark.slow
def test_a_killed_pass_goes_on_from_its_last_part(tmp_path: Path) -> None:
    crawl, store = tmp_path / "crawl", tmp_path / "store"
    rows = write_pictures(crawl, 6, PIXELS)
    units = {"u0": rows[:2], "u1": rows[2:4], "u2": rows[4:]}
    run_here(pass_job(tmp_path / "whole", units, ("pixels",)), tmp_path)
    # Reading a pipe that nobody writes to holds the worker in its second unit.
    blocked = crawl / "2.png"
    content = blocked.read_bytes()
    blocked.unlink()
    os.mkfifo(blocked)
    job = pass_job(store, units, ("pixels",))

    def kill_after_first_part(progress: Progress) -> None:
        if progress.parts == 1:
            for pid in workers(os.getpid(), job.module):
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(JobFailed, match="SIGKILL"):
        make_runner(runner_config()).run(job, kill_after_first_part)
    assert len(parts(store)) == 1

    blocked.unlink()
    blocked.write_bytes(content)
    assert run_here(job, tmp_path / "again")["parts"] == 2
    assert parts(store) == parts(tmp_path / "whole")


def test_an_outage_of_the_storage_ends_the_job(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path / "crawl", 8, PIXELS)
    for path in (tmp_path / "crawl").iterdir():
        path.unlink()

    with pytest.raises(StorageOutageError, match="4 images in a row could not be read"):
        run_here(pass_job(tmp_path / "store", {"u": rows}, ("pixels",)), tmp_path)

    assert parts(tmp_path / "store") == {}


def test_a_metric_that_is_not_configured_is_named(tmp_path: Path) -> None:
    rows = write_pictures(tmp_path / "crawl", 1, ["beauty"])

    with pytest.raises(ValueError, match=r"u.todo.parquet asks for beauty"):
        run_here(pass_job(tmp_path / "store", {"u": rows}, ("pixels",)), tmp_path)


def test_types_are_the_metrics_even_when_all_rows_failed(tmp_path: Path) -> None:
    store, crawl = tmp_path / "store", tmp_path / "crawl"
    rows = write_pictures(crawl, 2, PIXELS)
    run_here(pass_job(store, {"good": rows}, ("pixels",)), tmp_path / "a")
    for path in crawl.iterdir():
        path.write_bytes(b"lost")

    run_here(pass_job(store, {"bad": rows}, ("pixels",)), tmp_path / "b")

    bad = read_part(store, "pixels", "bad")
    assert bad.schema == read_part(store, "pixels", "good").schema
    assert bad.schema["pixels_phash"] == pl.UInt64
    assert bad["status"].to_list() == ["failed", "failed"]


def test_another_weight_stops_a_worker_before_the_first_image_with_its_line(tmp_path: Path) -> None:
    softmax = metric("softmax")
    assert isinstance(softmax, OnnxClassifier)
    wrong = softmax.weights.model_copy(update={"sha256": "0" * 64})
    job = pass_job(
        tmp_path / "store",
        {"u": write_pictures(tmp_path / "crawl", 2, ["softmax", "pixels"])},
        (softmax.model_copy(update={"weights": wrong}), "pixels"),
    )
    job = replace(job, config=json.loads(json.dumps(job.config)))  # as a worker of its own gets it

    with pytest.raises(WeightsError, match=rf"^{softmax.weights.place}: weights: .*expected 0000"):
        run_here(job, tmp_path)

    assert re.fullmatch(r"conf/metrics/softmax\.yaml:\d+", softmax.weights.place)
    assert not parts(tmp_path / "store")
