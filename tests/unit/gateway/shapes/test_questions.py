"""What a dry run may be asked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.gateway.shapes.questions import Question


def test_a_time_without_a_zone_is_utcs_and_headers_are_in_small_letters() -> None:
    asked = Question.model_validate({"at": "2026-01-01T23:00", "headers": {"X-Tier": "gold"}})
    assert (asked.at, asked.headers) == (datetime(2026, 1, 1, 23, tzinfo=UTC), {"x-tier": "gold"})
    assert Question.model_validate({"at": "2026-01-01T23:00+01:00"}).at == datetime(2026, 1, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "question",
    [
        {"modle": "x"},
        {"model": 5},
        {"model": ""},
        {"at": "tomorrow"},
        {"at": 5},
        {"at": "0001-01-01T00:00+23:00"},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "b\r\nc: d"}},
        {"prompt_tokens": -1},
        {"stream": "yes"},
        {"body": []},
    ],
)
def test_what_it_may_not_be_asked(question: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Question.model_validate(question)
