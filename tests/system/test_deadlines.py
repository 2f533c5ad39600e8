"""The time that an answer may take travels with the request, and a client can make it shorter."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import fetch
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"
HANG = {"kind": "hang"}


def deadline_of(upstream: ScriptedUpstream) -> float:
    return float(upstream.wait_for_request().header("x-nexus-deadline") or "nan")


def test_the_service_is_told_by_when_nobody_waits_any_more(
    start_gateway: Callable[..., Gateway], upstream: ScriptedUpstream
) -> None:
    config = "timeouts: {total: 40, models: {scripted: {total: 20}}}\n"
    gateway = start_gateway(upstream, config=config)
    before = time.time()
    assert gateway.chat().status == 200
    assert before + 20 - 0.001 <= deadline_of(upstream) <= time.time() + 20


@pytest.mark.parametrize("how", ["timeout", "deadline"])
def test_a_client_that_waits_less_is_answered_sooner(gateway: Gateway, upstream: ScriptedUpstream, how: str) -> None:
    begun = time.time()
    value = 0.5 if how == "timeout" else begun + 0.5
    answer = gateway.post(CHAT, chat_body(HANG), headers={f"x-nexus-{how}": str(value)})
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    assert 0.4 < time.time() - begun < 3
    assert deadline_of(upstream) == pytest.approx(begun + 0.5, abs=0.3)
    seen = upstream.wait_for_request()
    upstream.wait_for(lambda: seen.left_at, 1.0)


def test_a_client_cannot_wait_longer_than_the_gateway_lets_it(
    start_gateway: Callable[..., Gateway], upstream: ScriptedUpstream
) -> None:
    gateway = start_gateway(upstream, config="timeouts: {total: 0.5}\n")
    answer = gateway.post(CHAT, chat_body(HANG), headers={"x-nexus-timeout": "30"}, timeout=5)
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")


def test_a_deadline_passes_through_two_gateways(stack: ExitStack, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("inner", "outer")]
    for folder in folders:
        folder.mkdir()
    inner = stack.enter_context(Gateway(folders[0], [upstream.url]))
    inner.wait_for_state(upstream.url, "ready")
    listed = inner.url.replace("://", f"://:{TOKEN}@")
    outer = stack.enter_context(Gateway(folders[1], [listed]))
    outer.wait_for_state(inner.url, "ready")
    before = time.time()
    answer = fetch(outer.port, CHAT, chat_body(), token=TOKEN, headers={"x-nexus-timeout": "7"})
    assert answer.status == 200
    assert deadline_of(upstream) == pytest.approx(before + 7, abs=1)


def test_what_is_no_time_is_refused(gateway: Gateway) -> None:
    answer = gateway.post(CHAT, chat_body(), headers={"x-nexus-timeout": "a while"})
    assert (answer.status, answer.error["param"]) == (400, "x-nexus-timeout")
