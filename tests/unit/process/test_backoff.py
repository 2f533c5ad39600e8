"""When a process that has ended is started again."""

from nexus.process.backoff import HEALTHY_SECONDS, LONGEST_SECONDS, Backoff


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    backoff, delays = Backoff(), []
    for _ in range(9):
        backoff, delay = backoff.after_exit(started=100.0, now=100.1)
        delays.append(delay)
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.failures == 9


def test_a_minute_of_life_begins_anew() -> None:
    backoff, delay = Backoff(failures=20).after_exit(started=0.0, now=HEALTHY_SECONDS)
    assert (backoff, delay) == (Backoff(1), 0.5)


def test_many_failures_do_not_overflow() -> None:
    assert Backoff(10**9).after_exit(0.0, 1.0)[1] == LONGEST_SECONDS
