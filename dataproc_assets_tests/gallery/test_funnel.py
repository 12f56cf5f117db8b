import polars as pl
import pytest

from dataproc_assets.gallery.funnel import WIDTH, draw_funnel


def test_bars_share_one_scale_and_parts_lie_side_by_side():
    table = pl.DataFrame(
        {
            "stage": ["in", "in", "out", "out"],
            "source": ["b", "a", "a", "b"],
            "rows": [30, 10, 10, 30],
            "kept": [30, 10, 5, 15],
        }
    )
    funnel = draw_funnel(table, ["a", "b"])
    first, second = funnel.bars
    assert (first.stage, first.width, first.rows, first.kept) == ("in", WIDTH, 40, 40)
    assert [(part.x, part.width, part.colour) for part in first.parts] == [
        (0, WIDTH / 4, 0),
        (WIDTH / 4, WIDTH * 3 / 4, 1),
    ]
    assert (second.width, second.kept) == (WIDTH, 20)
    assert sum(part.width for part in second.parts) == pytest.approx(WIDTH / 2)
    assert second.y > first.y


def test_rows_of_no_known_source_are_one_part():
    table = pl.DataFrame(
        {"stage": ["all"] * 2, "source": [None, "gone"], "rows": [3, 1], "kept": [2, 1]}
    )
    (bar,) = draw_funnel(table, ["a"]).bars
    assert [(part.width, part.colour) for part in bar.parts] == [(WIDTH * 3 / 4, 1)]


def test_stages_without_rows_have_no_width():
    table = pl.DataFrame({"stage": ["in"], "source": ["a"], "rows": [0], "kept": [0]})
    (bar,) = draw_funnel(table, ["a"]).bars
    assert (bar.width, bar.parts) == (0, [])
