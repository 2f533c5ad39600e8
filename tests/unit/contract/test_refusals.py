"""Complaints name the place as clients write it."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from nexus.contract.refusals import refusal


class Item(BaseModel):
    size: int | bool


class Body(BaseModel):
    items: list[Item]
    name: str = ""

    @field_validator("name")
    @classmethod
    def _is_short(cls, name: str) -> str:
        if len(name) > 3:
            raise ValueError("must be short")
        return name


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "items", "items: Field required"),
        ({"items": [{"size": 1}, {}]}, "items[1].size", "items[1].size: Field required"),
        ({"items": ({"size": []},)}, "items[0].size", "items[0].size: Input should be a valid integer"),
        ({"items": [], "name": "long"}, "name", "name: must be short"),
        ([], None, "body: Input should be a valid dictionary or instance of Body"),
    ],
)
def test_the_first_complaint(body: Any, param: str | None, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate(body)
    error = refusal(caught.value, body)
    assert (error.status, error.param, error.message) == (400, param, message)
