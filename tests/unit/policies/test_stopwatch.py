"""A stopwatch adds up its turns."""

from nexus.policies.stopwatch import Stopwatch
from tests.servers.clock import Clock


def test_turns_are_added_up_and_starting_or_stopping_twice_is_nothing() -> None:
    times = iter((1.0, 3.5, 10.0, 10.25))
    watch = Stopwatch(lambda: next(times))
    watch.stop()
    assert watch.seconds == 0
    watch.start()
    watch.start()
    assert watch.seconds == 0
    watch.stop()
    watch.stop()
    assert watch.seconds == 2.5
    watch.start()
    watch.stop()
    assert watch.seconds == 2.75


def two_that_run() -> tuple[Clock, Stopwatch, Stopwatch]:
    """Their clock, one that was started at 0, and one beside it that was started then as well."""
    clock = Clock(0.0)
    watch = Stopwatch(clock)
    other = watch.beside()
    watch.start()
    other.start()
    return clock, watch, other


def test_one_that_runs_beside_is_taken_over_with_what_it_has() -> None:
    clock, watch, other = two_that_run()
    clock.now = 2.0
    watch.stop()
    clock.now = 3.0
    watch.take_over(other)  # which has run for three seconds, and runs on
    clock.now = 10.0
    other.stop()
    watch.stop()
    assert (watch.seconds, other.seconds) == (12.0, 0.0)


def test_one_that_has_stopped_is_added_to_one_that_runs() -> None:
    clock, watch, other = two_that_run()
    clock.now = 2.0
    other.stop()
    watch.take_over(other)
    clock.now = 5.0
    watch.stop()
    assert watch.seconds == 7.0
