"""A service that is full, seen from outside: its callers wait in a fair order, and not for ever."""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.servers.cards import card, model
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.overload import overload
from tests.servers.raw import RawClient, request, wait_until
from tests.servers.scripted import ScriptedUpstream

StartGateway = Callable[..., Gateway]
TOKENS = {"sk-quick": "interactive", "sk-slow": "batch"}
CONFIG = """
queue: {max_waiting: 30, max_seconds: 10}
policies:
  interactive: {priority: interactive}
  batch: {priority: batch}
tokens:
""" + "".join(
    f"  - {{name: {policy}, sha256: {hashlib.sha256(token.encode()).hexdigest()}, policy: {policy}}}\n"
    for token, policy in TOKENS.items()
)


def ask(client: RawClient, script: dict[str, Any] | None = None, token: str = TOKEN, **fields: Any) -> None:
    body = chat_body(script, **fields)
    client.send(request("/v1/chat/completions", json.dumps(body).encode(), token=token))


def waiting(gateway: Gateway) -> dict[str, int]:
    (service,) = gateway.get("/v1/services").json()["data"]
    told: dict[str, int] = service["waiting"]
    return told


def metric(gateway: Gateway, name: str, **labels: str) -> float | None:
    families = text_string_to_metric_families(gateway.get("/metrics").body.decode())
    samples = [one for family in families for one in family.samples if one.name == name]
    return next((one.value for one in samples if labels.items() <= one.labels.items()), None)


def test_the_wait_is_seen_and_who_leaves_is_gone(stack: ExitStack, start_gateway: StartGateway) -> None:
    upstream = stack.enter_context(ScriptedUpstream(card(places=1)))
    gateway = start_gateway(upstream, config=CONFIG)
    first, second, third = (stack.enter_context(RawClient(gateway.port)) for _ in range(3))
    ask(first, {"kind": "json", "gate": "g"})
    upstream.wait_for_request()
    ask(second, {"kind": "json"})
    ask(third, {"kind": "json"}, "sk-slow")
    wait_until(lambda: waiting(gateway) == {"scripted": 2})
    labels = {"operation": "chat.completions", "service": "scripted", "model": "scripted"}
    assert metric(gateway, "nexus_queue_waiting", **labels, priority="batch") == 1
    assert gateway.instance(upstream.url)["in_flight"] == 1
    second.close()
    wait_until(lambda: waiting(gateway) == {"scripted": 1})
    upstream.open("g")
    assert first.answer().status == 200
    answer = third.answer()
    assert answer.status == 200
    assert len(upstream.seen) == 2
    line = gateway.request_line(answer.header("x-request-id") or "")
    assert line["priority"] == "batch"
    assert 0 < line["queued_ms"] <= line["ms"]
    assert metric(gateway, "nexus_queue_wait_seconds_count", priority="batch") == 1
    assert waiting(gateway) == {}
    gateway.wait_until_idle()


def test_a_stream_that_waits_is_told_so(stack: ExitStack, start_gateway: StartGateway) -> None:
    """The first comment after five seconds; the answer then names its service in comments too."""
    upstream = stack.enter_context(ScriptedUpstream(card(places=1)))
    gateway = start_gateway(upstream, config="queue: {max_seconds: 8}")
    first, second, third = (stack.enter_context(RawClient(gateway.port)) for _ in range(3))
    ask(first, {"kind": "json", "gate": "g"})
    upstream.wait_for_request()
    ask(second, {"tokens": 2}, stream=True)
    status, headers = second.read_head()
    assert (status, dict(headers)["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert second.chunk() == b": waiting\n\n"
    ask(third, stream=True)
    upstream.open("g")
    assert first.answer().status == 200
    body = b"".join(iter(second.chunk, b""))
    assert b": x-nexus-service: scripted\n" in body
    assert body.endswith(b"data: [DONE]\n\n")
    assert body.count(b"data: [DONE]") == 1
    assert third.answer().header("x-nexus-service") == "scripted"


def test_a_stream_that_has_waited_in_vain_ends_with_one_error(stack: ExitStack, start_gateway: StartGateway) -> None:
    upstream = stack.enter_context(ScriptedUpstream(card(places=1)))
    gateway = start_gateway(upstream, config="queue: {max_seconds: 6}")
    first, second = (stack.enter_context(RawClient(gateway.port)) for _ in range(2))
    ask(first, {"kind": "json", "gate": "g"})
    upstream.wait_for_request()
    ask(second, stream=True)
    answer = second.answer()
    assert answer.status == 200
    comment, event = answer.body.split(b"\n\n")[:2]
    assert comment == b": waiting"
    assert json.loads(event.removeprefix(b"data: "))["error"]["code"] == "overloaded"
    assert b"[DONE]" not in answer.body
    assert second.closed()
    upstream.open("g")
    assert first.answer().status == 200
    line = gateway.request_line(answer.header("x-request-id") or "")
    assert (line["status"], line["error"]) == (503, "overloaded")


def test_a_cold_model_is_loaded_once_and_its_callers_served(stack: ExitStack, start_gateway: StartGateway) -> None:
    upstream = stack.enter_context(ScriptedUpstream(card(models=("other", model("cold", state="unloaded")))))
    gateway = start_gateway(upstream)
    clients = [stack.enter_context(RawClient(gateway.port)) for _ in range(5)]
    for client in clients:
        ask(client, model="cold")
    load = upstream.wait_for_request()
    assert (load.method, load.path) == ("POST", "/v1/models/cold/load")
    upstream.state.card = card(models=("other", "cold"))
    assert [client.answer().status for client in clients] == [200] * 5
    assert [one.path for one in upstream.seen].count("/v1/models/cold/load") == 1


def test_ten_times_as_many_as_it_can_serve(stack: ExitStack, start_gateway: StartGateway) -> None:
    """As much is answered as if there were no more than it can serve; what is measured just before is the measure."""
    places, service_time, seconds = 4, 0.1, 8.0
    upstream = stack.enter_context(ScriptedUpstream(card(places=places)))
    gateway = start_gateway(upstream, config=CONFIG)
    body = chat_body({"kind": "json", "delay": service_time})
    capacity = overload(gateway.port, {"sk-quick": places}, 3.0, body).goodput()
    load = overload(gateway.port, {"sk-quick": 20, "sk-slow": 20}, seconds, body)
    assert not load.lost
    assert load.goodput() * load.seconds > 0.8 * capacity * seconds
    rejected = [one for one in load.ended if one.status != 200]
    assert rejected
    assert {(one.status, one.code) for one in rejected} == {(503, "overloaded")}
    assert all(one.retry_after is not None and int(one.retry_after) >= 1 for one in rejected)
    quick, slow = load.of("sk-quick"), load.of("sk-slow")
    assert load.slowest("sk-quick") < 2.0
    assert len(slow) >= 0.08 * len(load.of("sk-quick") + slow)
    assert len(quick) > 4 * len(slow)
    wait_until(lambda: waiting(gateway) == {})
    gateway.wait_until_idle()
