import threading

import pytest

from dataproc_assets.jobs.in_order import InOrder


def test_calls_run_in_order_and_are_done_at_the_end():
    done = []
    with InOrder(1) as stage:
        for number in range(50):
            stage.submit(lambda number=number: done.append(number))
    assert done == list(range(50))


def test_no_more_wait_than_said():
    go, taken = threading.Event(), []
    with InOrder(1) as stage:
        stage.submit(go.wait)
        feeder = threading.Thread(
            target=lambda: [(stage.submit(go.wait), taken.append(n)) for n in range(3)]
        )
        feeder.start()
        feeder.join(0.2)
        assert len(taken) < 3
        go.set()
        feeder.join()
    assert len(taken) == 3


def test_the_first_error_is_raised_and_nothing_runs_after_it():
    done = []
    with pytest.raises(ZeroDivisionError), InOrder(4) as stage:
        stage.submit(lambda: 1 / 0)
        stage.submit(lambda: done.append(1))
    assert done == []


def test_what_was_handed_in_is_done_although_the_block_fails():
    done = []
    with pytest.raises(KeyError), InOrder(4) as stage:
        stage.submit(lambda: done.append(1))
        raise KeyError
    assert done == [1]
