"""Work ahead in threads gives results in order, a few at a time, and ends with the first error."""

import threading

import pytest

from stages.running import ahead, cores


def test_results_come_in_the_order_of_the_items():
    assert list(ahead.mapped(lambda n: n * n, range(500))) == [n * n for n in range(500)]


def test_only_a_few_items_are_worked_on_ahead():
    begun: list[int] = []
    results = ahead.mapped(begun.append, range(10_000))
    next(results)
    results.close()
    assert len(begun) <= 4 * cores.usable() + 2


def test_large_results_are_held_by_few_threads_on_many_cores(monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: 64)
    begun: list[int] = []
    results = ahead.mapped(begun.append, range(10_000), most=2)
    next(results)
    results.close()
    assert len(begun) <= 4 * 2 + 2


def test_an_error_is_raised_in_the_place_of_its_result():
    def fail_at_three(number):
        if number == 3:
            raise ValueError("three")
        return number

    results = ahead.mapped(fail_at_three, range(10_000))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_no_thread_is_left_when_a_reader_stops():
    before = threading.active_count()
    results = ahead.mapped(str, range(10_000))
    next(results)
    results.close()
    assert threading.active_count() == before
