import threading

import pytest

from dataproc_assets.jobs.pool import OrderedPool, Ticket, TooManyHangsError


def test_results_come_in_the_order_of_the_items() -> None:
    gate = threading.Event()

    def work(ticket: Ticket[int, int]) -> int:
        if ticket.item == 0:
            gate.wait()
        if ticket.item == 5:
            gate.set()
        return ticket.item * 2

    pool = OrderedPool(work, lambda item: -1, threads=2, ahead=6)

    assert list(pool.map(range(20))) == [item * 2 for item in range(20)]


def test_at_most_so_many_items_are_taken_ahead() -> None:
    taken: list[int] = []

    def items():
        for item in range(20):
            taken.append(item)
            yield item

    results = OrderedPool(lambda ticket: ticket.item, lambda item: -1, threads=2, ahead=4).map(
        items()
    )

    assert next(results) == 0
    assert taken == [0, 1, 2, 3, 4]
    results.close()  # type: ignore[attr-defined]


def test_a_hanging_item_is_given_up_and_the_others_go_on() -> None:
    never = threading.Event()

    def work(ticket: Ticket[int, str]) -> str:
        ticket.start_clock(0.05)
        if ticket.item == 2:
            never.wait()
        return "done"

    pool = OrderedPool(work, lambda item: f"too slow: {item}", threads=1, ahead=3)

    assert list(pool.map(range(5))) == ["done", "done", "too slow: 2", "done", "done"]
    never.set()


def test_too_many_hangs_end_the_job() -> None:
    never = threading.Event()

    def work(ticket: Ticket[int, str]) -> str:
        ticket.start_clock(0.0)
        never.wait()
        return "done"

    pool = OrderedPool(work, lambda item: "too slow", threads=1, ahead=1)

    with pytest.raises(TooManyHangsError, match="hang in the decoder"):
        list(pool.map(range(10)))
    never.set()


def test_an_error_of_the_work_is_raised_at_its_place() -> None:
    def work(ticket: Ticket[int, int]) -> int:
        if ticket.item == 1:
            raise KeyError("lost")
        return ticket.item

    results = OrderedPool(work, lambda item: -1, threads=2, ahead=2).map(range(3))

    assert next(results) == 0
    with pytest.raises(KeyError, match="lost"):
        next(results)
