import json
from pathlib import Path

from dataproc_assets.jobs.progress import ProgressFile


def test_the_file_counts_images_and_errors_by_kind(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path, rank=3, total=4, every_seconds=0)

    progress.add(None)
    progress.add("too_many_pixels: 9x9")
    progress.add("too_many_pixels: 8x8")

    state = json.loads((tmp_path / "progress-3.json").read_text())
    assert (state["done"], state["total"]) == (3, 4)
    assert state["errors"] == {"too_many_pixels": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["progress-3.json"]


def test_between_two_writes_the_file_stays(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path, rank=0, total=1, every_seconds=3600)

    progress.add(None)
    assert json.loads(progress.path.read_text())["done"] == 0

    progress.write()
    assert json.loads(progress.path.read_text())["done"] == 1
