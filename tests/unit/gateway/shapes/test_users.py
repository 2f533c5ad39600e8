"""What the API is told of users."""

from typing import Any

import pytest
from pydantic import ValidationError

from nexus.gateway.shapes.users import Credentials, NewUser, OwnToken, UserChange


def test_what_is_left_out() -> None:
    assert NewUser.model_validate({"name": "ada"}) == NewUser(name="ada", role="user", policy="default", password=None)
    assert UserChange.model_validate({"disabled": False}).model_dump(exclude_none=True) == {"disabled": False}


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (NewUser, {"name": "user:ada"}),
        (NewUser, {"name": "ada", "password": "eleven char"}),
        (UserChange, {"disabled": "no"}),
        (UserChange, {"role": "owner"}),
        (Credentials, {"name": "", "password": "x"}),
        (OwnToken, {"name": "ada/laptop"}),
        (OwnToken, {"name": "laptop", "policy": "wide"}),
    ],
)
def test_what_is_refused(shape: Any, value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        shape.model_validate(value)
