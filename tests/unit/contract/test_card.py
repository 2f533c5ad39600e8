"""The card: what is required, what has defaults, what is kept, and how a bad one is refused."""

import json
from typing import Any

import pytest

from nexus.contract.card import Card, CardError, read_card
from nexus.contract.operations import BY_NAME

LEAST: dict[str, Any] = {
    "schema_version": "v1",
    "service": {"name": "tts"},
    "capabilities": {"operations": ["audio.speech"]},
}


def card(**changes: Any) -> Card:
    return read_card(json.dumps({**LEAST, **changes}).encode())


def test_the_least_card_has_defaults_for_the_rest() -> None:
    read = card()
    assert read.service.version == "0"
    assert read.capabilities.max_concurrency == 1
    assert read.models == ()
    assert read.limits.max_request_bytes is None


def test_unknown_fields_are_kept() -> None:
    read = card(colour="green", service={"name": "tts", "mood": "fine"})
    assert read.model_extra == {"colour": "green"}
    assert json.loads(read.model_dump_json())["service"]["mood"] == "fine"


def test_a_standard_operation_implies_its_endpoint() -> None:
    (endpoint,) = card().all_endpoints()
    speech = BY_NAME["audio.speech"]
    assert (endpoint.operation, endpoint.method, endpoint.path) == (speech.name, speech.method, speech.path)
    assert endpoint.streaming == speech.stream


def test_a_given_endpoint_replaces_the_implied_one() -> None:
    given = {"operation": "audio.speech", "path": "/speak"}
    assert [endpoint.path for endpoint in card(endpoints=[given]).all_endpoints()] == ["/speak"]


def test_an_operation_of_ones_own_needs_its_endpoint() -> None:
    own = {"operations": ["greeter.greet"]}
    with pytest.raises(CardError, match=r"greeter\.greet"):
        card(capabilities=own)
    read = card(capabilities=own, endpoints=[{"operation": "greeter.greet", "path": "/v1/greet"}])
    assert read.all_endpoints()[0].path == "/v1/greet"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"schema_version": "v2"}, "schema_version"),
        ({"service": {}}, "service.name"),
        ({"service": {"name": "-dash"}}, "service.name"),
        ({"capabilities": {}}, "card"),
        ({"endpoints": [{"operation": "x", "path": "no-slash"}]}, "endpoints.0.path"),
        ({"models": [{"id": "two words"}]}, "models.0.id"),
        ({"models": [{"id": "m", "state": "sleepy"}]}, "models.0.state"),
        ({"tools": [{"name": "speak out", "path": "/x"}]}, "tools.0.name"),
        ({"capabilities": {"operations": ["audio.speech"], "max_concurrency": 0}}, "capabilities.max_concurrency"),
        ({"config": [{"env": "lower"}]}, "config.0.env"),
        ({"limits": {"timeout_seconds": 0}}, "limits.timeout_seconds"),
    ],
)
def test_a_bad_card_names_the_place_in_one_line(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(CardError) as caught:
        card(**changes)
    assert str(caught.value).startswith(f"{where}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b"<html>", b"[" * 100_000])
def test_bytes_that_are_no_card_raise_only_card_error(body: bytes) -> None:
    with pytest.raises(CardError):
        read_card(body)


def test_a_card_survives_the_wire() -> None:
    first = card(models=[{"id": "m", "aliases": ["n"], "context_length": 512}], tools=[{"name": "t", "path": "/t"}])
    assert read_card(first.model_dump_json().encode()) == first
