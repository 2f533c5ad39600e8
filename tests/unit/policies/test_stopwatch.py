"""A stopwatch adds up its turns."""

from nexus.policies.stopwatch import Stopwatch


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
