"""A run that broke off is tried again, one that nobody began keeps its place, a refusal is final."""

import pytest

from nexus.jobs.outcome import BACKOFF_SECONDS, LATER_SECONDS, Again, again


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "no_ready_service"),
        (503, "overloaded"),
        (503, "storage_unavailable"),
        (429, "concurrency_exceeded"),
        (429, "rate_limit_exceeded"),
    ],
)
def test_what_nobody_began_is_no_attempt_however_often(status: int, code: str) -> None:
    assert again(status, {"code": code}, attempt=99, most=3) == Again(LATER_SECONDS, counts=False)


def test_what_broke_off_is_begun_anew_later_and_later() -> None:
    error = {"code": "upstream_error"}
    assert [again(502, error, attempt, most=9) for attempt in (1, 2, 3, 4)] == [
        Again(seconds, counts=True) for seconds in (*BACKOFF_SECONDS, BACKOFF_SECONDS[-1])
    ]


def test_the_last_attempt_is_the_last() -> None:
    assert again(502, {"code": "upstream_error"}, attempt=3, most=3) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"code": "invalid_request_error"}),
        (404, {"code": "model_not_found"}),
        (500, {"code": "internal_error"}),
        (504, {"code": "upstream_timeout"}),
        (429, {"code": "budget_exceeded"}),
        (503, {}),
    ],
)
def test_what_would_end_the_same_way_is_final(status: int, error: dict[str, str]) -> None:
    assert again(status, error, attempt=1, most=3) is None
