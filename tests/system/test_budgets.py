"""Budgets from outside: what a client is told, what outlives a restart, and what two gateways know of each other."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.servers.cards import card
from tests.servers.databases import EITHER
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.postgres import postgres_server, why_not
from tests.servers.raw import Answer, RawClient, request, wait_until
from tests.servers.scripted import ScriptedUpstream
from tests.servers.slow_service import SlowService

CHAT = "/v1/chat/completions"
MUSIC = "/v1/music/generations"
TOKENS = 12  # what the scripted upstream says that an answer costs
SHARED_WITHIN = 2.0
StartGateway = Callable[..., Gateway]


def noon() -> str:
    """A zone in which it is about noon, so that no day or month ends while a test runs."""
    east = 12 - datetime.now(UTC).hour
    return "UTC" if not east else f"Etc/GMT{-east:+d}"  # these names count to the west


def config(**budgets: str) -> str:
    """A policy and a token of that name for each of these budgets."""
    policies = "".join(f"  {name}: {{budgets: {{{text}, timezone: {noon()}}}}}\n" for name, text in budgets.items())
    digests = {name: hashlib.sha256(secret(name).encode()).hexdigest() for name in budgets}
    tokens = "".join(f"  - {{name: {name}, sha256: {digest}, policy: {name}}}\n" for name, digest in digests.items())
    return f"policies:\n{policies}tokens:\n{tokens}"


def secret(name: str) -> str:
    return f"sk-{name}"


def chat(gateway: Gateway, name: str, script: dict[str, Any] | None = None) -> Answer:
    return gateway.post(CHAT, chat_body(script), token=secret(name))


def used(gateway: Gateway, name: str, period: str = "day") -> dict[str, float]:
    """What a token has used by the word of a gateway."""
    told = gateway.get("/v1/usage", token=secret(name)).json()[period]
    return {figure: told[figure]["used"] for figure in ("requests", "tokens", "engine_seconds")}


def refused(gateway: Gateway, name: str) -> openai.RateLimitError:
    """What the official client raises."""
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=secret(name), max_retries=0, timeout=10) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "Hello?"}])
    return caught.value


def test_a_budget_that_is_used_up_is_a_rate_limit_error_until_the_period_ends(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    text = config(
        requests="day: {requests: 2}",
        tokens="month: {tokens: 13}",
        engine="day: {engine_seconds: 1}, month: {requests: 9}",
        wide="day: {requests: 100, tokens: 1000, engine_seconds: 100}",
    )
    gateway = start_gateway(upstream, config=text)
    for name in ("requests", "tokens"):  # the second answer may go beyond what was left
        assert [chat(gateway, name).status for _ in range(2)] == [200, 200]
    assert chat(gateway, "engine", {"kind": "sse", "tokens": 2, "interval": 1.1}).status == 200
    for name, figure, period in (
        ("requests", "2 requests", "day"),
        ("tokens", "13 tokens", "month"),
        ("engine", "1 engine-seconds", "day"),
    ):
        error = refused(gateway, name)
        assert error.code == "budget_exceeded"
        assert f"budget of {figure} a {period}; the next {period} begins at" in error.message
        ends = gateway.get("/v1/usage", token=secret(name)).json()[period]["ends_at"]
        assert 0 <= time.time() + float(error.response.headers["retry-after"]) - ends < 3
    assert used(gateway, "requests")["requests"] == 2  # who is refused has used nothing
    assert used(gateway, "tokens", "month") == used(gateway, "tokens", "day")
    assert used(gateway, "tokens")["tokens"] == 2 * TOKENS
    assert 1.1 <= used(gateway, "engine")["engine_seconds"] < 3
    assert chat(gateway, "wide").status == 200
    assert gateway.post(CHAT, chat_body()).status == 200  # the administrator has none


def test_it_is_shown_to_its_owner_and_the_administrator(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    gateway = start_gateway(upstream, config=config(kid="day: {requests: 5, engine_seconds: 9}, month: {tokens: 100}"))
    assert chat(gateway, "kid").status == 200
    own = gateway.get("/v1/usage", token=secret("kid")).json()
    assert (own["object"], own["token"], own["policy"], own["timezone"]) == ("usage", "kid", "kid", noon())
    assert own["day"]["requests"] == {"used": 1, "limit": 5}
    assert own["day"]["tokens"] == {"used": TOKENS, "limit": None}
    assert own["month"]["tokens"] == {"used": TOKENS, "limit": 100}
    assert own["day"]["starts_at"] <= time.time() < own["day"]["ends_at"] == own["day"]["starts_at"] + 86400
    shown = gateway.get("/v1/admin/tokens/kid").json()
    assert shown["usage"] == {key: own[key] for key in ("timezone", "day", "month")}
    assert gateway.get("/v1/usage").json()["day"] is None
    unknown = gateway.get("/v1/usage", token="sk-nobody")
    assert (unknown.status, unknown.error["code"]) == (401, "invalid_api_key")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    env = {**outside, "NEXUS_URL": gateway.url, "NEXUS_API_KEY": TOKEN}
    command = [sys.executable, "-m", "nexus.cli", "token", "show", "kid"]
    printed = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "used by day   1 of 5 requests, 12 tokens, 0" in printed
    assert "used by month 1 requests, 12 of 100 tokens, 0" in printed


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_what_was_used_outlives_a_restart(tmp_path: Path, upstream: ScriptedUpstream, end: signal.Signals) -> None:
    (tmp_path / "nexus.yaml").write_text(config(kid="day: {requests: 2}", other="month: {tokens: 12}"))
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway(tmp_path, [upstream.url]))
        gateway.wait_for_state(upstream.url, "ready")
        gateway.wait_for_storage()
        assert [chat(gateway, name).status for name in ("kid", "kid", "other")] == [200] * 3
        before = used(gateway, "kid")
        if end is signal.SIGKILL:
            wait_until(lambda: kept(tmp_path) == [("kid", 2), ("other", 1)])
            gateway.process.kill()
            gateway.process.wait(10)
            gateway.__enter__()
    with Gateway(tmp_path, [upstream.url]) as gateway:
        gateway.wait_for_state(upstream.url, "ready")
        wait_until(lambda: used(gateway, "other")["tokens"] == TOKENS, 10)
        assert used(gateway, "kid") == pytest.approx(before, abs=0.001)
        for name in ("kid", "other"):
            assert refused(gateway, name).code == "budget_exceeded"


def kept(folder: Path) -> list[tuple[str, int]]:
    """What the database has of the day's requests."""
    code = (
        "import sqlite3; one = sqlite3.connect('.nexus/nexus.db'); print(__import__('json').dumps(one.execute("
        "\"SELECT token, sum(requests) FROM usage WHERE period = 'day' GROUP BY token ORDER BY token\").fetchall()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return [tuple(row) for row in json.loads(done.stdout)]


@pytest.mark.parametrize("database", EITHER)
def test_two_gateways_share_a_budget(
    database: Callable[[Path], AbstractContextManager[str]],
    tmp_path: Path,
    upstream: ScriptedUpstream,
    stack: ExitStack,
) -> None:
    text = config(kid="day: {requests: 6}", engine="month: {engine_seconds: 1}")
    with database(tmp_path) as url:
        env = {"NEXUS_DATABASE_URL": url, "NEXUS_FILES_URL": str(tmp_path / "files")}
        gateways = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "nexus.yaml").write_text(text)
            gateways.append(stack.enter_context(Gateway(tmp_path / name, [upstream.url], env)))
        for gateway in gateways:
            gateway.wait_for_state(upstream.url, "ready")
            gateway.wait_for_storage()
        first, second = gateways
        for round_ in range(3):
            assert [chat(gateway, "kid").status for gateway in gateways] == [200, 200]
            told_within(gateways, "kid", "requests", 2 * round_ + 2)
        assert chat(first, "engine", {"kind": "sse", "tokens": 2, "interval": 1.1}).status == 200
        told_within(gateways, "engine", "engine_seconds", 1.1)
        for gateway in gateways:
            for name in ("kid", "engine"):
                assert refused(gateway, name).code == "budget_exceeded"
        assert used(first, "engine") == pytest.approx(used(second, "engine"), abs=0.001)
        stack.pop_all().close()


def told_within(gateways: list[Gateway], name: str, figure: str, wanted: float) -> None:
    """Both say soon that it is as much."""
    since = time.monotonic()
    for gateway in gateways:
        wait_until(lambda gateway=gateway: used(gateway, name)[figure] >= wanted, 10)
    assert time.monotonic() - since < SHARED_WITHIN


def test_a_database_that_is_killed_is_told_later(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    """Nobody waits for it and nobody is refused; what was counted meanwhile is there once, wherever it is read."""
    if reason := why_not():
        pytest.skip(reason)
    text = config(kid="day: {requests: 100}", few="day: {requests: 3}")
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        env = {"NEXUS_DATABASE_URL": f"postgresql://{server.address}/postgres"}
        (tmp_path / "nexus.yaml").write_text(text)
        gateway = stack.enter_context(Gateway(tmp_path, [upstream.url], env))
        gateway.wait_for_state(upstream.url, "ready")
        gateway.wait_for_storage()
        assert [chat(gateway, name).status for name in ("kid", "few")] == [200, 200]
        server.stop()
        try:
            began = time.monotonic()
            assert chat(gateway, "kid").status == 200
            wait_until(lambda: told(gateway, "budgets_not_shared"), 15)
            statuses = [chat(gateway, "kid").status for _ in range(20)]
            assert statuses == [200] * 20
            assert [chat(gateway, "few").status for _ in range(3)] == [200, 200, 429]
            assert used(gateway, "few")["requests"] == 3
            assert time.monotonic() - began < 15
        finally:
            server.start()
        counted = used(gateway, "kid")["requests"]
        other = tmp_path / "other"
        other.mkdir()
        (other / "nexus.yaml").write_text(text)
        second = stack.enter_context(Gateway(other, [upstream.url], env))
        second.wait_for_state(upstream.url, "ready")
        wait_until(lambda: used(second, "kid")["requests"] == counted, 20)
        assert refused(second, "few").code == "budget_exceeded"
        gateway_again = [used(one, "kid")["requests"] for one in (gateway, second)]
        assert gateway_again == [counted, counted]


def told(gateway: Gateway, event: str) -> bool:
    return event in gateway.stdout.read_text()


def test_an_edit_counts_on_and_survives_its_removal(start_gateway: StartGateway, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(upstream, config=config(kid="day: {requests: 1}"))
    assert [chat(gateway, "kid").status for _ in range(2)] == [200, 429]

    def edit(text: str, status: int) -> None:
        """Write it, and wait until it is in force; looking at what was used uses nothing."""
        (gateway.folder / "nexus.yaml").write_text(text)
        wait_until(lambda: gateway.get("/v1/usage", token=secret("kid")).status == status)

    three = config(kid="day: {requests: 3}")
    (gateway.folder / "nexus.yaml").write_text(three)
    wait_until(lambda: gateway.get("/v1/usage", token=secret("kid")).json()["day"]["requests"]["limit"] == 3)
    assert chat(gateway, "kid").status == 200
    edit("policies: {}", 401)
    edit(three, 200)
    assert [chat(gateway, "kid").status for _ in range(2)] == [200, 429]
    (gateway.folder / "nexus.yaml").write_text(config(kid="day: {requests: many}"))
    wait_until(lambda: told(gateway, "config_refused"))
    assert "policies.kid.budgets.day.requests" in gateway.stdout.read_text()
    assert chat(gateway, "kid").status == 429


def test_a_jobs_request_is_counted_when_asked_for_and_the_rest_by_its_run(
    start_before_slow: Callable[..., Gateway], slow: SlowService
) -> None:
    text = config(maker="day: {requests: 2, engine_seconds: 1}", two="day: {requests: 1}")
    gateway = start_before_slow(config=text)
    order = {"background": True, "steps": 24, "pace": 0.05}
    asked = [gateway.post(MUSIC, {**order, "prompt": f"song {n}"}, token=secret("maker")) for n in range(3)]
    assert [answer.status for answer in asked] == [202, 202, 429]
    assert asked[2].error["code"] == "budget_exceeded"
    assert used(gateway, "maker")["requests"] == 2
    first, second = (f"/v1/jobs/{answer.json()['id']}" for answer in asked[:2])
    wait_until(lambda: gateway.get(first).json()["status"] == "completed", 20)
    assert used(gateway, "maker")["engine_seconds"] >= 1.2
    wait_until(lambda: gateway.get(second).json()["status"] == "failed", 20)  # its run found nothing left
    assert gateway.get(second).json()["error"]["code"] == "budget_exceeded"
    assert slow.count("begin") == {"song 0": 1}
    assert gateway.post(MUSIC, {"prompt": "one", "steps": 1}, token=secret("two")).status == 200
    refused_now = gateway.post(MUSIC, {"prompt": "two", "steps": 1}, token=secret("two"))
    assert (refused_now.status, refused_now.error["code"]) == (429, "budget_exceeded")


def test_a_service_that_asks_in_its_callers_stead_spends_what_its_caller_has(
    start_gateway: StartGateway, stack: ExitStack
) -> None:
    asking = card("asking", operations=("chat.completions",), uses=("chat.completions",))
    upstream = stack.enter_context(ScriptedUpstream(asking))
    gateway = start_gateway(upstream, config=config(one="day: {requests: 2}"))
    with RawClient(gateway.port) as client:
        client.send(request(CHAT, chat_body({"kind": "json", "gate": "go"}), token=secret("one")))
        lent = upstream.wait_for(lambda: upstream.seen and upstream.seen[0]).header("x-nexus-delegation")
        assert [gateway.post(CHAT, chat_body(), token=lent).status for _ in range(2)] == [200, 429]
        assert gateway.get("/v1/usage", token=lent).status == 403
        upstream.open("go")
        assert client.answer().status == 200
    assert used(gateway, "one")["requests"] == 2


def test_a_caller_that_leaves_and_one_that_fails_are_counted_once(
    start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    gateway = start_gateway(upstream, config=config(kid="day: {requests: 100}"))
    with RawClient(gateway.port) as client:
        client.send(request(CHAT, chat_body({"kind": "hang"}), token=secret("kid")))
        upstream.wait_for(lambda: upstream.seen)
        held = upstream.seen[0].at
        wait_until(lambda: time.monotonic() - held > 0.05)  # what is told is told to the millisecond
    gateway.wait_until_idle()
    assert used(gateway, "kid")["requests"] == 1
    assert 0 < used(gateway, "kid")["engine_seconds"] <= time.monotonic() - held + 0.5
    assert chat(gateway, "kid", {"kind": "close"}).status == 502
    told_now = used(gateway, "kid")
    assert told_now["requests"] == 2
    assert used(gateway, "kid") == told_now
