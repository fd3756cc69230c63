import threading

import pytest

from trainer.sample.speed.storing import Storing


def test_the_next_batch_is_drawn_while_one_is_stored_and_only_one_waits():
    order: list[str] = []
    may_end = threading.Event()

    def first() -> int:
        may_end.wait(60)
        order.append("first")
        return 2

    def second() -> int:
        order.append("second")
        return 3

    with Storing() as storing:
        storing.start(first)
        order.append("drawn")
        may_end.set()
        storing.start(second)
        assert order[:2] == ["drawn", "first"]
        assert storing.finish() == 3
        assert storing.finish() == 0
    assert order == ["drawn", "first", "second"]
    assert storing.stored == 5


def test_what_is_in_the_background_is_stored_before_the_end():
    with Storing() as storing:
        storing.start(lambda: 4)
    assert storing.stored == 4


def fail() -> int:
    raise OSError("no room")


def test_an_error_of_the_background_is_raised_by_the_next_call_and_only_once():
    with Storing() as storing:
        storing.start(fail)
        with pytest.raises(OSError, match="no room"):
            storing.finish()
        assert storing.finish() == 0


def test_a_batch_that_comes_after_a_failed_one_is_still_stored():
    done: list[int] = []
    with Storing() as storing:
        storing.start(fail)
        with pytest.raises(OSError, match="no room"):
            storing.start(lambda: done.append(1) or 1)
        assert done == [1]
        assert storing.stored == 1


def test_an_error_that_nobody_asked_for_is_raised_at_the_end():
    with pytest.raises(OSError, match="no room"), Storing() as storing:
        storing.start(fail)
