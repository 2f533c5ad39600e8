"""Schemas of requests, and what models make of them."""

import socket

import pytest

from nexus.contract.errors import ApiError
from nexus.sdk.chat.schemas import checked, fitting, of_arguments

NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def test_a_schema_is_one() -> None:
    assert checked(NAMED, "x") == NAMED
    with pytest.raises(ApiError) as caught:
        checked({"type": "thing"}, "tools[0].function.parameters")
    assert (caught.value.status, caught.value.param) == (400, "tools[0].function.parameters")


def test_arguments_are_an_object() -> None:
    assert of_arguments(NAMED) == NAMED
    assert of_arguments({"type": "array"})["type"] == "object"
    with pytest.raises(ApiError):
        fitting('{"a": 1}', of_arguments(None), "the text", "tools")


def test_what_fits_is_its_value() -> None:
    assert fitting(' {"name": "Ada"}\n', NAMED, "the text", "x") == {"name": "Ada"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ada", "the text that the model wrote is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "'name' is a required property"),
        ('["name"]', "is not of type 'object'"),
    ],
)
def test_what_does_not_fit_is_the_engines_fault(text: str, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        fitting(text, NAMED, "the text", "x")
    assert caught.value.status == 502


@pytest.mark.parametrize("place", ["#/$defs/none", "http://127.0.0.1:{port}/schema", "file:///etc/hostname"])
def test_a_reference_that_leads_away_is_the_callers_and_not_followed(place: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        reference = place.replace("{port}", str(listener.getsockname()[1]))
        with pytest.raises(ApiError) as caught:
            fitting("{}", {"$ref": reference}, "the text", "response_format")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert (caught.value.status, caught.value.param) == (400, "response_format")


def test_a_reference_within_is_followed() -> None:
    schema = {"$defs": {"n": NAMED}, "$ref": "#/$defs/n"}
    assert fitting('{"name": "Ada"}', schema, "the text", "x") == {"name": "Ada"}
    with pytest.raises(ApiError, match="required"):
        fitting("{}", schema, "the text", "x")
