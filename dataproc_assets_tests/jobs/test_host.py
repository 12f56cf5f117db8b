import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.jobs.host import read_host, share


def write(base: Path, current: str, hosts: list[str]) -> None:
    (base / "config").mkdir()
    text = json.dumps({"current_host": current, "hosts": hosts})
    (base / "config" / "resourceconfig.json").write_text(text)


def test_the_rank_is_the_place_among_the_sorted_hosts(tmp_path: Path) -> None:
    write(tmp_path, "algo-2", ["algo-3", "algo-2", "algo-1"])

    host = read_host(tmp_path)

    assert (host.rank, host.world) == (1, 3)


def test_a_host_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "algo-9", ["algo-1"])

    with pytest.raises(ValueError, match="algo-9"):
        read_host(tmp_path)


def test_the_reason_of_a_failure_lies_where_it_is_looked_for(tmp_path: Path) -> None:
    write(tmp_path, "algo-1", ["algo-1"])

    read_host(tmp_path).fail(RuntimeError("no weights"))

    assert (tmp_path / "output" / "message").read_text() == "RuntimeError: no weights"


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 9))
def test_each_name_is_one_workers_share(names: list[str], world: int) -> None:
    shares = [share(names, rank, world) for rank in range(world)]

    assert sorted(name for taken in shares for name in taken) == sorted(names)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
