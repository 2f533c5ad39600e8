"""A second attempt beside a slow one, seen from outside: the caller waits for the quicker service, and nobody else."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.cards import card
from tests.servers.gateway import TOKEN, Gateway
from tests.servers.raw import Answer, RawClient, request, wait_until
from tests.servers.scripted import ScriptedUpstream

StartGateway = Callable[..., Gateway]
Pair = tuple[Gateway, ScriptedUpstream, ScriptedUpstream]
BODY = {"model": "scripted", "input": "a text"}
SLOW = {"kind": "json", "gate": "slow"}


def hedged(gateway: Gateway, result: str) -> float:
    families = text_string_to_metric_families(gateway.get("/metrics").body.decode())
    samples = [one for family in families for one in family.samples if one.name == "nexus_hedged_total"]
    labels = {"operation": "embeddings", "result": result}
    return next((one.value for one in samples if one.labels == labels), 0.0)


def embed(gateway: Gateway) -> Answer:
    return gateway.post("/v1/embeddings", BODY)


def start(stack: ExitStack, start_gateway: StartGateway, config: str) -> Pair:
    one, other = (stack.enter_context(ScriptedUpstream(card(instance=name))) for name in ("one", "other"))
    return start_gateway(one, other, config=config), one, other


def test_a_quick_service_answers_for_a_slow_one(stack: ExitStack, start_gateway: StartGateway) -> None:
    gateway, one, _ = start(stack, start_gateway, "hedging: {embeddings: 0.1}")
    one.state.script = SLOW
    for _ in range(2):  # they take turns: the slow one is asked first once
        answer = embed(gateway)
        assert answer.status == 200
        assert answer.header("x-nexus-instance") == "other"
        assert answer.json()["usage"]["total_tokens"] == 3
    seen = one.wait_for_request()
    one.wait_for(lambda: seen.left_at)
    assert gateway.request_line(answer.header("x-request-id") or "")["status"] == 200
    assert len(one.seen) == 1
    hedges = [line for line in gateway.log_lines() if line.get("attempts") == 2]
    assert [(line["instance"], line["usage"]["prompt_tokens"]) for line in hedges] == [("other", 3)]
    assert 100 <= hedges[0]["ms"] < 5000
    assert (hedged(gateway, "won"), hedged(gateway, "lost")) == (1, 0)
    gateway.wait_until_idle()


def test_a_client_that_leaves_ends_both(stack: ExitStack, start_gateway: StartGateway) -> None:
    gateway, one, other = start(stack, start_gateway, "hedging: {embeddings: 0.05}")
    one.state.script = other.state.script = SLOW
    with RawClient(gateway.port) as client:
        client.send(request("/v1/embeddings", BODY, token=TOKEN, headers={"x-request-id": "leaves"}))
        wait_until(lambda: one.seen and other.seen)
        assert sum(instance["in_flight"] for instance in gateway.instances()) == 2
    for upstream in (one, other):
        upstream.wait_for(lambda upstream=upstream: upstream.seen[0].left_at)
    gateway.wait_until_idle()
    line = gateway.request_line("leaves")
    assert (line["status"], line["attempts"]) == (499, 2)


@pytest.mark.parametrize("config", ["", "hedging: {rerank: 0.05}"])
def test_nothing_is_hedged_that_was_not_asked_for(stack: ExitStack, start_gateway: StartGateway, config: str) -> None:
    gateway, one, other = start(stack, start_gateway, config)
    one.state.script = other.state.script = {"kind": "json", "delay": 0.3}
    assert embed(gateway).header("x-nexus-attempts") == "1"
    assert len(one.seen) + len(other.seen) == 1


def test_chats_and_streams_are_not_hedged_beside_it(stack: ExitStack, start_gateway: StartGateway) -> None:
    gateway, one, other = start(stack, start_gateway, "hedging: {embeddings: 0.05}")
    assert gateway.chat({"kind": "json", "delay": 0.3}).header("x-nexus-attempts") == "1"
    assert gateway.chat({"kind": "sse", "delay": 0.3}, stream=True).header("x-nexus-attempts") == "1"
    assert len(one.seen) + len(other.seen) == 2


def test_a_percentile_is_learned_from_the_calls_themselves(stack: ExitStack, start_gateway: StartGateway) -> None:
    gateway, one, _ = start(stack, start_gateway, "hedging: {embeddings: p95}")
    one.state.scripts = [{"kind": "json", "delay": 0.05}]
    for _ in range(60):
        assert embed(gateway).status == 200
    one.state.script = SLOW
    answers = [embed(gateway) for _ in range(2)]
    assert [answer.header("x-nexus-instance") for answer in answers] == ["other", "other"]
    assert sorted(answer.header("x-nexus-attempts") or "" for answer in answers) == ["1", "2"]
    one.wait_for(lambda: one.seen[-1].left_at)
    assert hedged(gateway, "won") >= 1
    gateway.wait_until_idle()
