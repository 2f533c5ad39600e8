"""One circuit, step by step."""

import pytest

from nexus.gateway.health.circuit import PROBE_SECONDS, Circuit, Failure, State


@pytest.mark.parametrize(
    ("kind", "count"),
    [(Failure.REFUSED, 1), (Failure.LATE, 2), (Failure.STALLED, 3), (Failure.STATUS, 5), (Failure.CUT, 5)],
)
def test_it_opens_after_so_many_failures_in_a_row(kind: Failure, count: int) -> None:
    circuit = Circuit()
    for _ in range(count):
        assert (circuit.state(100.0), circuit.wait(100.0)) == (State.CLOSED, 0)
        circuit = circuit.failed(kind, 100.0)
    assert circuit.state(100.0) is State.OPEN
    assert circuit.wait(100.0) > 0


def test_it_is_open_for_longer_each_time_up_to_a_bound() -> None:
    circuit, now, waits = Circuit(), 100.0, []
    for _ in range(6):
        circuit = circuit.failed(Failure.REFUSED, now)
        waits.append(circuit.wait(now))
        now += circuit.wait(now)
        assert circuit.state(now) is State.HALF_OPEN
    assert waits == [1, 2, 4, 8, 8, 8]


def test_half_open_it_lets_one_call_through_at_a_time() -> None:
    circuit = Circuit().failed(Failure.REFUSED, 100.0)
    assert circuit.asked(100.5) == circuit  # open: whoever asks all the same is no probe
    assert circuit.wait(101.0) == 0
    probed = circuit.asked(101.0)
    assert probed.wait(101.0) == PROBE_SECONDS
    assert probed.wait(101.0 + PROBE_SECONDS) == 0
    assert probed.failed(Failure.REFUSED, 102.0).wait(102.0) == 2


def test_what_was_under_way_when_it_opened_changes_nothing() -> None:
    circuit = Circuit().failed(Failure.REFUSED, 100.0)
    later = circuit.failed(Failure.STATUS, 100.5)
    assert (later.wait(100.5), later.trips) == (0.5, 1)


def test_somebody_elses_finding_half_opens_it() -> None:
    assert Circuit().failed(Failure.REFUSED, 100.0).half_opened(100.2).state(100.2) is State.HALF_OPEN


def test_a_pause_is_no_failure() -> None:
    circuit = Circuit().paused(105.0)
    assert (circuit.state(100.0), circuit.wait(100.0), circuit.wait(105.0)) == (State.CLOSED, 5, 0)
    assert circuit.paused(103.0).wait(100.0) == 5
