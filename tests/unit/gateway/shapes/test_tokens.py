"""What may be asked of a new token, and how what may not be is told."""

import datetime

import pytest
from pydantic import ValidationError

from nexus.gateway.shapes.tokens import NewToken


def moment(text: str) -> datetime.datetime | None:
    return NewToken.model_validate({"name": "ci", "expires": text}).expires


def test_a_name_is_enough() -> None:
    made = NewToken.model_validate({"name": "ci"})
    assert (made.owner, made.policy, made.expires) == ("", "default", None)


def test_a_date_is_its_first_moment_and_a_time_without_a_zone_is_utcs() -> None:
    assert moment("2031-01-01") == datetime.datetime(2031, 1, 1, tzinfo=datetime.UTC)
    assert moment("2031-01-01T12:00") == moment("2031-01-01T12:00Z") == moment("2031-01-01T14:00+02:00")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "a b"), ("name", "a/b"), ("name", "-a"), ("name", "a" * 65), ("name", "ä"),
        ("name", "ci\n"), ("name", 7), ("name", None), ("owner", "a\nb"), ("owner", "\0"), ("owner", "x" * 257),
        ("owner", "\ud800"), ("policy", ""), ("policy", "\ud800"), ("policy", None), ("expires", "soon"),
        ("expires", 2e9), ("expires", "9999-12-31T23:59:59-12:00"), ("expires", ""), ("rpm", 5),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        NewToken.model_validate({"name": "ci", field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
