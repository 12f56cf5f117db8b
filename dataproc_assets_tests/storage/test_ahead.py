import threading

import pytest

from dataproc_assets.storage.ahead import ahead


def test_results_come_in_the_order_of_the_items_whichever_is_made_first():
    later_is_made = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later_is_made.wait(60)
        else:
            later_is_made.set()
        return item * 10

    assert list(ahead(work, range(5), 2)) == [0, 10, 20, 30, 40]
    assert list(ahead(work, [], 2)) == []


def test_no_more_is_begun_than_may_wait():
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        return item

    results = ahead(work, range(100), 2)
    for taken in range(5):
        assert next(results) == taken
        assert max(begun) <= taken + 2
    results.close()
    assert max(begun) <= 6


def test_an_error_is_raised_in_its_place_and_ends_the_work():
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise ValueError("the second")
        return item

    results = ahead(work, range(100), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the second"):
        next(results)
    assert max(begun) <= 3
