import polars as pl

from dataproc_assets.transforms.assemble import CUT
from dataproc_assets.transforms.cuts import CUT_COUNTS, add_cuts, cut_counts, cuts_by_group


def lost(*prompts):
    rows = [[dict(zip(("group", "tag"), unit, strict=True)) for unit in units] for units in prompts]
    return pl.DataFrame({"cut": rows}, schema={"cut": pl.List(CUT)})


HAT, CAT, YEAR = ("general", "hat"), ("general", "cat"), ("year", "year 2020")


def test_what_was_cut_is_counted_over_all_parts_the_most_first():
    parts = [cut_counts(lost([HAT, YEAR], [], [HAT])), cut_counts(lost([CAT], [HAT]))]
    assert add_cuts(parts).rows() == [(*HAT, 3), (*CAT, 1), (*YEAR, 1)]
    assert cuts_by_group(add_cuts(parts)).rows() == [("general", 2, 4), ("year", 1, 1)]


def test_nothing_cut_is_an_empty_table():
    none = cut_counts(lost([], []))
    assert none.is_empty() and none.schema == CUT_COUNTS
    assert add_cuts([]).is_empty() and cuts_by_group(add_cuts([none])).is_empty()
