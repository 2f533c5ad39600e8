"""A call as rules look at it."""

from datetime import UTC, datetime
from typing import Any

from nexus.gateway.endpoints import Endpoint
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.routing.asked import AskedCall
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer
from tests.servers.calls import endpoint, make_call, make_instance
from tests.servers.cards import model

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SNAPSHOT = build([make_instance("llm", models=(model("m", aliases=["card-name"]), "other"))], {"nick": "m"})


def asked(*args: Any, snapshot: Snapshot = SNAPSHOT, region: str = "", **fields: Any) -> AskedCall:
    return AskedCall(make_call(*args, **fields), lambda: snapshot, {"nick": "m", "dead": "gone"}, region, lambda: NOW)


def test_who_asks_for_what() -> None:
    call = asked(bearer=Bearer("ada", Policy("kids")), stream=True)
    assert (call.policy, call.token, call.operation, call.stream) == ("kids", "ada", "chat.completions", True)
    assert (call.is_bound, call.moment, asked().policy) == (False, NOW, None)


def test_a_model_has_the_name_that_was_written_and_those_that_it_stands_for() -> None:
    assert [tuple(asked(name).models) for name in ("m", "nick", "card-name", "dead", "who")] == [
        ("m",),
        ("nick", "m"),
        ("card-name", "m"),
        ("dead", "gone"),
        ("who",),
    ]
    assert (asked(None).models, asked(None).services, asked("m").services) == ((), ("llm",), ("llm",))


def test_at_a_services_own_path_it_is_that_service() -> None:
    call = asked(None, at=Endpoint("models.load", "POST", "/v1/models/m/load", service="llm", itself=True, model="m"))
    assert (call.is_bound, call.models, call.services) == (True, ("m",), ("llm",))
    assert asked(None, at=Endpoint("service.page", "GET", "/health", service="gone")).services == ("gone",)


def test_headers_and_the_region() -> None:
    call = asked(headers=[(b"x-tier", b"a"), (b"x-tier", b"b:c"), (b"authorization", b"Bearer s")], region="eu")
    assert (call.header("x-tier"), call.header("x-other"), call.header("authorization")) == (["a", "b:c"], (), ())
    assert call.region == "eu"
    assert asked(headers=[(b"x-nexus-region", b"us")], region="eu").region == "us"
    assert asked(headers=[(b"x-nexus-region", b"")], region="eu").region == "eu"


def test_what_its_body_holds() -> None:
    body = b'{"model":"m","tools":[1],"image":"x"}'
    call = asked("m", body)
    assert (call.has_tools, call.has_images, call.prompt_tokens) == (True, True, len(body) // 4)
    kind = b"multipart/form-data; boundary=x"
    form = asked("m", b'form-data; name="image"', content_type=kind, at=endpoint("images.edits"))
    assert (form.has_tools, form.has_images, form.prompt_tokens) == (False, True, None)
