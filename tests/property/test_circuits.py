"""The laws of the circuit, whatever happens to it in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.health.circuit import PROBE_SECONDS, Circuit, Failure, State

SLACK = 1e-6  # seconds: sums of floats

events = st.lists(
    st.tuples(st.sampled_from([*Failure, "asked", "found", "paused"]), st.floats(0, 20, allow_nan=False)), max_size=60
)


@given(events)
def test_its_laws(given_events: list[tuple[Failure | str, float]]) -> None:
    circuit, now = Circuit(), 1000.0
    for event, step in given_events:
        now += step
        before = circuit.state(now)
        if isinstance(event, Failure):
            after = circuit.failed(event, now)
            assert after.failures == circuit.failures + 1
            if before is State.HALF_OPEN:
                assert after.state(now) is State.OPEN
            if before is State.OPEN:
                assert after.open_until == circuit.open_until  # nothing can keep it open for ever
        elif event == "asked":
            after = circuit.asked(now)
            assert after.state(now) is before
            assert (after.wait(now) >= PROBE_SECONDS - SLACK) or before is not State.HALF_OPEN
        elif event == "found":
            after = circuit.half_opened(now)
            assert after.state(now) is not State.OPEN
        else:
            after = circuit.paused(now + 5)
            assert after.state(now) is before
            assert after.wait(now) >= 5 - SLACK
        assert after.wait(now) <= 60 + SLACK
        assert (after.wait(now) > 0) or after.state(now) is not State.OPEN
        assert after.state(now + 61) is not State.OPEN
        circuit = after
