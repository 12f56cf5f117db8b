import polars as pl
import pytest

from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.named import load_named
from dataproc_assets_tests.storage.lakes import project_in

ROWS = pl.DataFrame({"image_key": ["pixiv/1_p0"], "n": [1]})


def test_a_table_for_a_person_is_named_with_its_partition(tmp_path):
    lake = Lake(project_in(str(tmp_path / "store"), tmp_path / "crawl"))
    lake.write("merged", "pixiv", ROWS, inputs={})
    lake.write("dedup_cross", None, ROWS, table="members", inputs={})
    assert load_named(lake, "merged", source="pixiv", recipe=None).collect().equals(ROWS)
    assert load_named(lake, "members").collect().equals(ROWS)
    for table, keys, message in [
        ("megred", {}, r"no table 'megred'; there are inventory, .*members"),
        ("release", {}, "no table 'release'"),
        ("merged", {}, r"the table 'merged' takes source=\.\.\., one of artstation, "),
        ("merged", {"recipe": "caption"}, "the table 'merged' takes source"),
        ("members", {"source": "pixiv"}, "the table 'members' takes no partition"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_named(lake, table, **keys)
