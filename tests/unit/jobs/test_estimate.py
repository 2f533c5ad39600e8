"""Estimates: by a run's own pace, by what is usual, and none where nothing is known."""

import pytest

from nexus.jobs.estimate import left, usual, wait


def test_usual_is_the_median() -> None:
    assert usual([]) is None
    assert usual([5.0]) == 5.0
    assert usual([1.0, 100.0, 2.0]) == 2.0


def test_a_run_that_has_shown_its_pace_is_judged_by_it() -> None:
    assert left(0.25, running=10.0, usual_seconds=3.0) == pytest.approx(30.0)


def test_before_that_by_what_is_usual_and_never_below_nothing() -> None:
    assert left(0.0, running=2.0, usual_seconds=10.0) == 8.0
    assert left(0.01, running=20.0, usual_seconds=10.0) == 0.0
    assert left(0.0, running=2.0, usual_seconds=None) is None


def test_who_waits_longer_is_told_a_longer_time() -> None:
    waits = [wait(position, places=2, usual_seconds=10.0) for position in (1, 2, 3, 4, 5)]
    assert waits == [15.0, 15.0, 25.0, 25.0, 35.0]
    assert wait(1, places=0, usual_seconds=10.0) == 15.0
    assert wait(1, places=1, usual_seconds=None) is None
