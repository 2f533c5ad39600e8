"""A job as clients see it."""

from dataclasses import replace

import pytest

from nexus.gateway.background.view import job_view, percent, seconds
from nexus.jobs.values import Job, Order, Result, State

ORDER = Order("job_1", "ocr", "/v1/ocr", "application/json", "jobs/job_1/request", 2, "someone", model="m")
JOB = Job(1, ORDER, State.QUEUED, 10.9, expires_at=99.9)


def test_one_that_waits() -> None:
    assert job_view(JOB, 3, 12.345) == {
        "id": "job_1",
        "object": "job",
        "operation": "ocr",
        "model": "m",
        "state": "queued",
        "status": "queued",
        "progress": 0,
        "message": "",
        "position": 3,
        "eta_seconds": 12.3,
        "attempts": 0,
        "created_at": 10,
        "started_at": None,
        "completed_at": None,
        "expires_at": 99,
        "service": None,
        "instance": None,
        "error": None,
        "result": None,
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.QUEUED, "queued"),
        (State.RUNNING, "in_progress"),
        (State.COMPLETED, "completed"),
        (State.FAILED, "failed"),
        (State.CANCELLED, "cancelled"),
    ],
)
def test_its_state_in_openais_words(state: State, status: str) -> None:
    view = job_view(replace(JOB, state=state), None, None)
    assert (view["state"], view["status"]) == (status, status)


def test_one_that_is_completed_tells_where_its_result_is_and_not_where_it_lies() -> None:
    result = Result(200, "audio/wav", 12, "jobs/job_1/1/answer")
    job = replace(
        JOB, state=State.COMPLETED, started_at=11.5, finished_at=13.5, result=result, service="s", instance="i"
    )
    view = job_view(job, None, None)
    assert view["result"] == {"url": "/v1/jobs/job_1/result", "content_type": "audio/wav", "bytes": 12}
    assert (view["started_at"], view["completed_at"], view["progress"]) == (11, 13, 100)
    assert (view["service"], view["instance"]) == ("s", "i")
    assert "jobs/job_1/1" not in str(view)


def test_one_that_failed_tells_why() -> None:
    error = {"message": "no", "type": "server_error", "param": None, "code": "x"}
    assert job_view(replace(JOB, state=State.FAILED, error=error), None, None)["error"] == error


@pytest.mark.parametrize(
    ("state", "progress", "told"),
    [
        (State.RUNNING, 0.0, 0),
        (State.RUNNING, 0.299, 29),
        (State.RUNNING, 1.0, 99),
        (State.FAILED, 1.0, 99),
        (State.COMPLETED, 0.5, 100),
    ],
)
def test_a_hundred_percent_is_only_what_is_completed(state: State, progress: float, told: int) -> None:
    assert percent(replace(JOB, state=state, progress=progress)) == told


def test_moments_are_whole_seconds() -> None:
    assert (seconds(None), seconds(0.0), seconds(1.99)) == (None, 0, 1)
