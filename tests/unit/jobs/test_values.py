"""What a job knows of itself."""

import pytest

from nexus.jobs.values import Job, Order, State

ORDER = Order("job_1", "ocr", "/v1/ocr", "application/json", "jobs/job_1/request", 2, "someone")


@pytest.mark.parametrize("state", State)
def test_it_has_ended_in_three_states(state: State) -> None:
    assert Job(1, ORDER, state, 0.0).ended == (state in ("completed", "failed", "cancelled"))


def test_its_seconds_are_those_of_its_last_run() -> None:
    assert Job(1, ORDER, State.RUNNING, 0.0, started_at=5.0).seconds is None
    assert Job(1, ORDER, State.COMPLETED, 0.0, started_at=5.0, finished_at=7.5).seconds == 2.5
