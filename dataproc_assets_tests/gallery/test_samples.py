from dataclasses import replace

import polars as pl

from dataproc_assets.gallery import build_gallery
from dataproc_assets.gallery.samples import HEIGHT, LEFT, WIDTH, draw_curve
from dataproc_assets_tests.gallery.conftest import files


def test_drawings_stand_beside_the_original_and_go_with_it(store, world, config):
    build_gallery(store, world.tables, world.read, config)
    written = files(store)
    digest = world.digests["pixiv/plain0"]
    paths = [f"drawn/demo/{digest[:2]}/{digest}.{place}.webp" for place in range(3)]
    assert [written[path] for path in paths] == [
        f"RIFF drawn plain prompt {guidance}".encode() for guidance in (0.0, 1.0, 4.0)
    ]
    page = written["samples.html"].decode()
    order = [page.index(told) for told in (digest, *paths)]
    assert order == sorted(order) and "plain prompt" in page
    assert not any(world.digests["danbooru/quarantined"] in path for path in written)
    added = pl.DataFrame({"image_key": ["pixiv/plain0"], "rule": ["never_tags"]})
    quarantined = pl.concat([world.tables.quarantined, added])
    build_gallery(store, replace(world.tables, quarantined=quarantined), world.read, config)
    left = files(store)
    assert not set(paths) & set(left) and "plain prompt" not in left["samples.html"].decode()


def test_the_page_tells_what_was_measured(store, world, config):
    build_gallery(store, world.tables, world.read, config)
    page = files(store)["samples.html"].decode()
    for figure in ("0.91234", "0.92345", "0.93456", "0.00200 ± 0.00050", "4.0", "0.010"):
        assert figure in page


def test_without_a_denoiser_the_page_says_so(store, world, config):
    tables = replace(world.tables, denoisers=[], drawn=world.tables.drawn.clear())
    build_gallery(store, tables, world.read, config)
    assert b"No denoiser has been trained yet" in files(store)["samples.html"]


def test_the_curve_falls_as_the_loss_does_and_stays_in_its_drawing():
    chart = draw_curve([(10, 2.0), (20, 1.0), (40, 0.5)], 0.5)
    points = [tuple(map(float, point.split(","))) for point in chart["points"].split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # down is the lesser loss
    assert all(LEFT <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert points[-1][1] == chart["held_out"]
    assert chart["steps"][-1]["text"] == "40" and chart["losses"][0]["text"] == "0.00"


def test_a_curve_of_no_steps_has_no_points():
    assert draw_curve([], 0.0)["points"] == ""
