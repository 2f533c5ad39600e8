"""What fails at a service and what the client sees of it: rescued by another attempt, or one clear error, in time."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

import pytest

from tests.servers.cards import card, model
from tests.servers.gateway import TOKEN, Gateway, chat_body, free_port
from tests.servers.listeners import full_listener
from tests.servers.raw import fetch, wait_until
from tests.servers.scripted import ScriptedUpstream

StartGateway = Callable[..., Gateway]
SHORT_TIMES = "timeouts: {connect: 0.3, first_byte: 0.6, idle: 0.6, total: 10}\n"
FALLBACKS = SHORT_TIMES + "fallbacks: {large: [small]}\n"

FAULTS: dict[str, dict[str, Any]] = {
    "429 with retry-after": {"kind": "error", "status": 429, "retry_after": 1},
    "429 without": {"kind": "error", "status": 429},
    "500": {"kind": "error", "status": 500},
    "503": {"kind": "error", "status": 503},
    "reset": {"kind": "reset"},
    "closed": {"kind": "close"},
    "never answers": {"kind": "hang"},
    "garbage": {"kind": "garbage"},
    "length longer than the body": {"kind": "short"},
    "head and nothing else": {"kind": "head_then_hang"},
    "stalls midway": {"kind": "head_then_hang", "first": 500},
    "another content type": {"kind": "slow", "gate": "never"},
    "200 with an error": {"kind": "json", "body": {"error": {"message": "no"}}},
}


def named(name: str, instance: str = "", context: int | None = None) -> dict[str, Any]:
    return card(name, instance=instance, models=[model(name) | {"context_length": context}])


def two_models(stack: ExitStack, **contexts: int) -> tuple[ScriptedUpstream, ScriptedUpstream]:
    large = stack.enter_context(ScriptedUpstream(named("large", context=contexts.get("large"))))
    return large, stack.enter_context(ScriptedUpstream(named("small", context=contexts.get("small"))))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_instance_is_mended_by_the_other(
    start_gateway: StartGateway, stack: ExitStack, fault: str
) -> None:
    bad, good = (stack.enter_context(ScriptedUpstream(card(instance=name))) for name in ("bad", "good"))
    bad.state.script = FAULTS[fault]
    gateway = start_gateway(bad, good, config=SHORT_TIMES)
    began = time.monotonic()
    answers = [gateway.chat() for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 6
    assert {answer.header("x-nexus-instance") for answer in answers} == {"good"}
    assert max(int(answer.header("x-nexus-attempts") or 0) for answer in answers) == 2
    assert 1 <= len(bad.seen) <= 5
    assert time.monotonic() - began < 6
    line = gateway.request_line(answers[0].header("x-request-id") or "")
    assert line["instance"] == "good"
    gateway.wait_until_idle()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_one_clear_error_in_time(
    start_gateway: StartGateway, stack: ExitStack, fault: str
) -> None:
    bad = stack.enter_context(ScriptedUpstream())
    bad.state.script = FAULTS[fault]
    gateway = start_gateway(bad, config=SHORT_TIMES)
    began = time.monotonic()
    answer = gateway.chat()
    assert answer.status in (429, 500, 502, 503, 504)
    assert answer.error["code"] or answer.error["type"]
    assert answer.header("x-nexus-attempts") == str(len(bad.seen))
    assert len(bad.seen) <= 3
    assert time.monotonic() - began < 5
    bad.state.script = None
    assert gateway.chat().status == 200  # its circuit may be open: it is all there is


@pytest.mark.parametrize("fault", ["429 with retry-after", "429 without", "500", "503", "reset", "closed"])
def test_a_fault_that_happens_once_is_mended_by_the_same_instance(
    start_gateway: StartGateway, stack: ExitStack, fault: str
) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream)
    upstream.state.scripts = [FAULTS[fault]]
    began = time.monotonic()
    answer = gateway.chat()
    assert (answer.status, answer.header("x-nexus-attempts")) == (200, "2")
    assert (time.monotonic() - began >= 1) is ("retry_after" in FAULTS[fault])


def test_a_retry_after_beyond_the_bound_is_passed_on(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream)
    upstream.state.script = {"kind": "error", "status": 429, "retry_after": 20, "code": "rate_limit_exceeded"}
    answer = gateway.chat()
    assert (answer.status, answer.header("retry-after"), answer.header("x-nexus-attempts")) == (429, "20", "1")
    assert answer.error["code"] == "rate_limit_exceeded"


def test_a_first_token_that_comes_late_but_in_time_is_no_fault(start_gateway: StartGateway, stack: ExitStack) -> None:
    """The head comes at once; `idle` is for what comes after the first token."""
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, config="timeouts: {first_byte: 8, idle: 0.2}\n")
    answer = gateway.chat({"kind": "sse", "tokens": 1, "before": 0.8}, stream=True)
    assert (answer.status, answer.header("x-nexus-attempts")) == (200, "1")
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_a_prompt_that_is_too_long_goes_to_a_model_that_takes_more(
    start_gateway: StartGateway, stack: ExitStack
) -> None:
    large, small = two_models(stack, large=4096, small=32768)
    large.state.script = {"kind": "error", "status": 400, "code": "context_length_exceeded"}
    gateway = start_gateway(large, small, config=FALLBACKS)
    answer = gateway.chat(model="large")
    assert (answer.status, answer.header("x-nexus-model"), answer.header("x-nexus-attempts")) == (200, "small", "2")
    assert small.seen[0].json()["model"] == "small"
    assert len(large.seen) == 1


@pytest.mark.parametrize("code", ["context_length_exceeded", "content_filter", "content_policy_violation"])
def test_a_refusal_is_passed_on_with_its_reason(start_gateway: StartGateway, stack: ExitStack, code: str) -> None:
    large, small = two_models(stack, large=32768, small=4096)
    large.state.script = {"kind": "error", "status": 400, "code": code}
    gateway = start_gateway(large, small, config=FALLBACKS)
    answer = gateway.chat(model="large")
    assert (answer.status, answer.error["code"], answer.error["message"]) == (400, code, "the engine says no")
    assert (len(large.seen), len(small.seen)) == (1, 0)


def test_a_primary_that_fails_for_a_while_is_left_and_comes_back(start_gateway: StartGateway, stack: ExitStack) -> None:
    """What was not answered is not billed; the answer names the model that gave it."""
    large, small = two_models(stack)
    gateway = start_gateway(large, small, config=FALLBACKS)
    large.state.script = {"kind": "error", "status": 503}
    for _ in range(12):
        answer = gateway.chat(model="large")
        assert (answer.status, answer.header("x-nexus-model")) == (200, "small")
    assert len(large.seen) == 5  # then its circuit was open
    line = gateway.request_line(answer.header("x-request-id") or "")
    assert (line["model"], line["attempts"], line["usage"]["prompt_tokens"]) == ("small", 1, 7)
    (entry,) = gateway.get("/v1/services/large").json()["instances"]
    assert entry["circuit"] in ("open", "half_open")
    metrics = fetch(gateway.port, "/metrics", token=TOKEN).body.decode()
    assert f'nexus_circuit_open{{instance="{large.url}",model="large"}}' in metrics
    large.state.script = None
    wait_until(lambda: gateway.chat(model="large").header("x-nexus-model") == "large", 5)
    assert gateway.chat(model="large").header("x-nexus-model") == "large"


def test_a_primary_that_is_gone_is_stood_in_for_and_comes_back(start_gateway: StartGateway, stack: ExitStack) -> None:
    large, small = two_models(stack)
    gateway = start_gateway(large, small, config=FALLBACKS)
    large.stop()
    answers = [gateway.chat(model="large") for _ in range(5)]
    assert {(answer.status, answer.header("x-nexus-model")) for answer in answers} == {(200, "small")}
    stack.enter_context(ScriptedUpstream(named("large"), port=large.port))
    wait_until(lambda: gateway.chat(model="large").header("x-nexus-model") == "large", 5)


def test_who_may_not_use_the_fallback_gets_the_error(start_gateway: StartGateway, stack: ExitStack) -> None:
    large, small = two_models(stack)
    token = sha256(b"sk-narrow").hexdigest()
    config = (
        FALLBACKS
        + f"policies: {{narrow: {{models: [large]}}}}\ntokens: [{{name: n, sha256: {token}, policy: narrow}}]\n"
    )
    gateway = start_gateway(large, small, config=config)
    large.state.script = {"kind": "error", "status": 500}
    answer = fetch(gateway.port, "/v1/chat/completions", chat_body(model="large"), token="sk-narrow")
    assert (answer.status, answer.header("x-nexus-model")) == (500, "large")
    assert not small.seen
    assert gateway.chat(model="large").header("x-nexus-model") == "small"


def test_an_image_is_never_made_twice(start_gateway: StartGateway, stack: ExitStack) -> None:
    described = card("painter", operations=["images.generations"], models=["painter"])
    first, second = (stack.enter_context(ScriptedUpstream(described | {"instance": name})) for name in "ab")
    gateway = start_gateway(first, second)
    for script in ({"kind": "close"}, {"kind": "error", "status": 500}, {"kind": "reset"}):
        first.state.script = second.state.script = script
        seen = len(first.seen) + len(second.seen)
        answer = gateway.post("/v1/images/generations", {"model": "painter", "prompt": "x"})
        assert answer.status in (500, 502)
        assert len(first.seen) + len(second.seen) == seen + 1


def test_a_service_that_takes_no_connection_costs_one_connect_timeout_once(
    start_gateway: StartGateway, stack: ExitStack
) -> None:
    good = stack.enter_context(ScriptedUpstream())
    engine = stack.enter_context(full_listener())
    behind = card(instance="dead") | {"backend": {"base_url": f"http://127.0.0.1:{engine}"}}
    sidecar = stack.enter_context(ScriptedUpstream(behind))
    gateway = start_gateway(good, sidecar, config="timeouts: {connect: 0.5}\n")
    slow = 0
    for _ in range(30):
        began = time.monotonic()
        assert gateway.chat().status == 200
        slow += time.monotonic() - began > 0.45
    assert slow <= 1


def test_the_lists_answer_at_once_with_every_backend_down(start_gateway: StartGateway, stack: ExitStack) -> None:
    silent = [stack.enter_context(full_listener()) for _ in range(5)]
    services = ",".join(f"http://127.0.0.1:{port}" for port in (*silent, free_port()))
    gateway = start_gateway(env={"NEXUS_SERVICES": services})
    for path in ("/v1/models", "/v1/services", "/health", "/v1/metadata", "/"):
        gateway.get(path)
        for _ in range(3):
            began = time.monotonic()
            gateway.get(path)
            assert time.monotonic() - began < 0.2, path


def test_retries_stay_within_their_budget(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    upstream.state.script = {"kind": "error", "status": 500}
    gateway = start_gateway(upstream, config="retries: {max_attempts: 3, budget_ratio: 0.2}\n")
    count = 300
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: gateway.chat(), range(count)))
    refilled = 10 * (time.monotonic() - began)
    assert len(upstream.seen) <= count * 1.2 + 100 + refilled + 1
    assert len(upstream.seen) < count * 3


def test_a_failed_attempt_is_a_line_of_the_log(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream)
    upstream.state.scripts = [{"kind": "error", "status": 500}]
    answer = gateway.post("/v1/chat/completions", chat_body(), headers={"x-request-id": "told"})
    assert gateway.request_line("told")["attempts"] == 2
    (line,) = [line for line in gateway.log_lines() if line["event"] == "attempt_failed"]
    assert (line["request_id"], line["attempt"], line["answered"]) == ("told", 1, 500)
    assert line["reason"] == "it answered 500: the engine says no"
    assert answer.status == 200
