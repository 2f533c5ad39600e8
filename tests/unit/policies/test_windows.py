"""The window: what is counted, when it is forgotten, and what is told of that. Its law is in tests/property."""

import pytest

from nexus.policies.windows import SECONDS, SLOTS, Window

SLOT = SECONDS / SLOTS


def test_what_happened_counts_for_a_minute_and_at_most_one_slot_more() -> None:
    window = Window()
    window.add(3, 1000.0)
    assert window.count(1000.0 + SECONDS) == 3
    assert window.count(1000.0 + SECONDS + SLOT) == 0


def test_a_long_silence_leaves_nothing() -> None:
    window = Window()
    window.add(3, 5.0)
    assert window.count(1_000_000.0) == 0
    window.add(1, 1_000_000.0)
    assert window.count(1_000_000.0) == 1


def test_how_long_until_some_of_it_is_forgotten() -> None:
    window = Window()
    window.add(2, 100.0)
    window.add(3, 110.0)
    assert window.seconds_until_less(1, 120.0) == pytest.approx(40 + SLOT)
    assert window.seconds_until_less(2, 120.0) == pytest.approx(40 + SLOT)
    assert window.seconds_until_less(3, 120.0) == pytest.approx(50 + SLOT)
    assert window.seconds_until_less(6, 120.0) == SECONDS
    assert window.count(120.0 + window.seconds_until_less(1, 120.0)) == 3


def test_how_long_until_all_is_forgotten() -> None:
    window = Window()
    assert window.seconds_until_empty(7.0) == 0
    window.add(1, 100.0)
    window.add(1, 130.0)
    assert window.count(140.0) == 2
    wait = window.seconds_until_empty(140.0)
    assert wait == pytest.approx(50 + SLOT)
    assert window.count(140.0 + wait - SLOT / 2) == 1
    assert window.count(140.0 + wait) == 0


def test_what_is_taken_back_goes_where_it_was_added() -> None:
    window = Window()
    window.add(10, 100.0)
    ends = window.ends
    window.add(5, 130.0)
    window.take_back(4, ends, 140.0)
    assert window.count(140.0) == 11
    assert window.count(165.0) == 5
    window.take_back(6, ends, 165.0)  # forgotten long ago
    assert window.count(165.0) == 5


def test_what_is_settled_is_added_where_it_is_more_and_taken_back_where_it_is_less() -> None:
    window = Window()
    window.add(10, 100.0)
    ends = window.ends
    window.settle(-4, ends, 140.0)
    window.settle(3, ends, 140.0)
    assert window.count(140.0) == 9
    assert window.count(165.0) == 3


def test_one_more_is_taken_where_there_are_fewer() -> None:
    window = Window()
    assert [window.take(2, 100.0) for _ in range(3)] == [True, True, False]
    assert window.total == 2
    assert not window.take(2, 100.0 + SECONDS)
    assert window.take(2, 100.0 + SECONDS + SLOT)
    assert window.seconds_until_empty(100.0 + SECONDS + SLOT) == pytest.approx(SECONDS + SLOT)
