"""What the gateway tells of its requests: one JSON line each, counters that count right, and no secrets."""

import json
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import Answer, RawClient, fetch, request, wait_until
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"


def line_of(gateway: Gateway, answer: Answer) -> dict[str, Any]:
    return gateway.request_line(answer.header("x-request-id") or "")


def samples(gateway: Gateway) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples of /metrics, by name and labels."""
    answer = gateway.get("/metrics")
    assert (answer.header("content-type") or "").startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.body.decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(gateway: Gateway, name: str, **labels: str) -> float:
    """The sum of all samples of `name` that have these labels."""
    wanted = set(labels.items())
    return sum(amount for (key, have), amount in samples(gateway).items() if key == name and wanted <= have)


def test_a_finished_request_is_one_line(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    answer = gateway.chat(user="someone")
    line = line_of(gateway, answer)
    assert {name: line[name] for name in ("level", "event", "operation", "status", "model", "service")} == {
        "level": "info",
        "event": "request",
        "operation": "chat.completions",
        "status": 200,
        "model": "scripted",
        "service": "scripted",
    }
    assert line["instance"] in (upstream.url, "scripted-1")
    assert line["bytes_in"] == len(upstream.seen[0].body)
    assert line["bytes_out"] == len(answer.body)
    assert 0 < line["ttft_ms"] <= line["ms"] < 10_000
    assert (line["usage"]["prompt_tokens"], line["usage"]["completion_tokens"]) == (7, 5)
    assert line["attempts"] == 1
    assert line["token"]
    assert isinstance(line["ts"], float)
    same = [one for one in gateway.log_lines() if one.get("request_id") == line["request_id"]]
    assert len(same) == 1


def test_failed_requests_say_what_went_wrong(gateway: Gateway) -> None:
    expected = {
        "model_not_found": gateway.chat(model="scriptd"),
        "invalid_request_error": gateway.post(CHAT, b"{"),
        "unsupported_media_type": gateway.post(CHAT, b"x", headers={"content-type": "text/plain"}),
        "invalid_api_key": fetch(gateway.port, CHAT, chat_body(), token="sk-wrong"),
        "upstream_error": gateway.chat({"kind": "close"}),
        "concurrency_exceeded": gateway.chat({"kind": "error", "status": 429, "code": "concurrency_exceeded"}),
    }
    for code, answer in expected.items():
        line = line_of(gateway, answer)
        assert (line["status"], line["error"]) == (answer.status, code)


def test_a_cut_stream_is_an_error_in_the_log(gateway: Gateway) -> None:
    line = line_of(gateway, gateway.chat({"kind": "sse", "end": "drop"}, stream=True))
    assert (line["status"], line["stream"], line["error"], line["level"]) == (200, True, "upstream_error", "error")


def test_requests_to_the_control_plane_are_lines_too(gateway: Gateway) -> None:
    for path in ("/v1/models", "/v1/services", "/v1/nothing"):
        answer = gateway.get(path)
        assert line_of(gateway, answer)["status"] == answer.status


def test_neither_tokens_nor_prompts_nor_answers_are_logged(gateway: Gateway) -> None:
    answers = [
        gateway.chat(),
        gateway.chat({"kind": "sse"}, stream=True),
        gateway.chat(model="scriptd"),
        gateway.post(CHAT, b'{"model": "scripted", "messages": "PROMPT-MUST-NOT-BE-LOGGED'),
        fetch(gateway.port, CHAT, chat_body(), token="sk-WRONG-MUST-NOT-BE-LOGGED"),
        fetch(gateway.port, "/v1/models", token="sk-WRONG-MUST-NOT-BE-LOGGED"),
        gateway.chat({"kind": "garbage"}),
    ]
    for answer in answers:
        line_of(gateway, answer)
    told = gateway.stdout.read_text() + gateway.stderr.read_text()
    for secret in (TOKEN, "MUST-NOT-BE-LOGGED", "Hello.", "t0 "):
        assert secret not in told, secret


def test_every_line_is_json_with_time_level_and_event(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        client.send(b"garbage\r\n\r\n")
        client.rest()
    line_of(gateway, gateway.chat())
    for text in gateway.stdout.read_text().splitlines():
        line = json.loads(text)
        assert isinstance(line["ts"], float), line
        assert line["level"] in ("debug", "info", "warning", "error"), line
        assert line["event"], line


def test_requests_are_counted(gateway: Gateway) -> None:
    labels = {"operation": "chat.completions", "model": "scripted", "status": "200"}
    before = value(gateway, "nexus_requests_total", **labels)
    failed = value(gateway, "nexus_requests_total", operation="chat.completions", status="404")
    spent = value(gateway, "nexus_tokens_total", kind="completion", model="scripted")
    for _ in range(5):
        gateway.chat()
    gateway.chat(model="scriptd")
    assert value(gateway, "nexus_requests_total", **labels) == before + 5
    assert value(gateway, "nexus_requests_total", operation="chat.completions", status="404") == failed + 1
    assert value(gateway, "nexus_tokens_total", kind="completion", model="scripted") == spent + 25
    assert value(gateway, "nexus_request_seconds_count", operation="chat.completions", model="scripted") >= before + 5


def test_running_calls_are_counted(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(gateway.port) as client:
        client.send(request(CHAT, chat_body({"kind": "hang"}), token=TOKEN))
        upstream.wait_for_request()
        assert value(gateway, "nexus_in_flight") == 1
    wait_until(lambda: value(gateway, "nexus_in_flight") == 0)


def test_a_client_cannot_make_up_labels(gateway: Gateway) -> None:
    before = len(samples(gateway))
    for number in range(30):
        gateway.chat(model=f"made-up-{number}")
        gateway.get(f"/v1/made-up/{number}")
    assert "made-up-" not in gateway.get("/metrics").body.decode()
    assert len(samples(gateway)) < before + 60


def test_metrics_need_the_token_from_afar_only(gateway: Gateway) -> None:
    here = {"host": "localhost"}
    assert fetch(gateway.port, "/metrics", headers=here).status == 200
    assert fetch(gateway.port, "/metrics").status == 401  # a name that was made to lead here
    assert fetch(gateway.port, "/metrics", headers={**here, "x-forwarded-for": "203.0.113.7"}).status == 403
