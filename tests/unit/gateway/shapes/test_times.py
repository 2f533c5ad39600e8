"""What was not written is told apart from what was."""

import pytest
from pydantic import ValidationError

from nexus.gateway.shapes.times import AllTimes, Jobs
from nexus.jobs.rules import JobRules


def test_times_that_were_not_written_are_none_and_none_cannot_be_written() -> None:
    assert AllTimes().connect is None
    assert AllTimes(connect=2).connect == 2
    with pytest.raises(ValidationError):
        AllTimes.model_validate({"connect": None})


def test_jobs_have_the_defaults_of_their_rules() -> None:
    assert JobRules(**Jobs().model_dump()) == JobRules()
