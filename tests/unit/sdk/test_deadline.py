"""The seconds that a call has."""

import pytest

from nexus.contract.errors import ApiError
from nexus.sdk.deadline import seconds_left


def at(moment: str) -> float:
    return seconds_left({"x-nexus-deadline": moment}, 60, now=lambda: 1000.0)


def test_a_deadline_only_makes_it_shorter() -> None:
    assert seconds_left({}, 60) == 60
    assert at("1010.5") == 10.5
    assert at("5000") == 60


@pytest.mark.parametrize("moment", ["1000", "999.9", "nan", "-inf"])
def test_one_that_has_passed_is_a_504(moment: str) -> None:
    with pytest.raises(ApiError) as caught:
        at(moment)
    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


def test_one_that_is_no_time_is_told() -> None:
    with pytest.raises(ApiError, match="x-nexus-deadline: it should be a Unix time"):
        at("soon")
