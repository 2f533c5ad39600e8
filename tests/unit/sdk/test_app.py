"""Every path outside the operations: probes, metadata, metrics, and refusals in the envelope."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nexus.contract.card import read_card
from nexus.sdk.engine import Call, Engine, Form, Model


class Probe(Engine):
    def load(self, model: Model) -> None:
        if model.options.get("bad"):
            raise RuntimeError("no such device")

    async def chat_completions(self, request: dict[str, Any], call: Call) -> AsyncIterator[dict[str, Any]]:
        yield {}

    async def probe_ask(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"model": call.model.id}

    async def probe_bytes(self, request: dict[str, Any], call: Call) -> AsyncIterator[bytes]:
        yield b""

    async def probe_form(self, request: Form, call: Call) -> dict[str, Any]:
        return {}

    async def probe_get(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {}


@pytest.fixture
def running(start):
    models = {"a.toml": 'id = "org/a"\naliases = ["small"]\n', "b.toml": 'id = "b"\n[options]\nbad = true\n'}
    begun = start(Probe, models=models).until_ready()
    begun.until(lambda: begun.service.roster.residents["b"].state == "failed")
    return begun


def test_health_and_readiness(running) -> None:
    assert running.get("/health").json() == {"status": "ok"}
    checks = {"engine": "ready", "model org/a": "ready", "model b": "failed: RuntimeError: no such device"}
    assert running.get("/readyz").json() == {"status": "ready", "checks": checks}


def test_the_card_tells_live_states_and_schemas(running) -> None:
    card = read_card(running.get("/v1/metadata").content)
    assert [(model.id, model.state) for model in card.models] == [("org/a", "ready"), ("b", "failed")]
    assert {endpoint.operation: endpoint.request_schema for endpoint in card.endpoints} == {
        "chat.completions": {"type": "object"},
        "probe.ask": {"type": "object"},
        "probe.bytes": {"type": "object"},
        "probe.form": {},
        "probe.get": {"type": "object"},
    }


def test_models_in_openais_shape(running) -> None:
    listed = running.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [(one["id"], one["object"], one["state"]) for one in listed["data"]] == [
        ("org/a", "model", "ready"),
        ("b", "model", "failed"),
    ]
    assert abs(listed["data"][0]["created"] - time.time()) < 60
    assert running.get("/v1/models/org/a").json() == running.get("/v1/models/small").json() == listed["data"][0]
    unknown = running.get("/v1/models/c")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


def test_the_verbs_load_and_unload(running) -> None:
    assert running.post("/v1/models/small/unload").json() == {"id": "org/a", "state": "unloaded"}
    assert running.get("/readyz").status_code == 503
    assert running.ask(model="small").json()["error"]["code"] == "no_ready_service"
    assert running.post("/v1/models/org/a/load").json() == {"id": "org/a", "state": "ready"}
    assert running.ask(model="small").json() == {"model": "org/a"}
    failed = running.post("/v1/models/b/load")
    assert (failed.status_code, failed.json()["error"]["code"]) == (502, "upstream_error")
    assert running.post("/v1/models/c/load").status_code == 404


def test_a_new_entry_is_loaded_and_a_removed_one_is_gone_without_a_restart(running) -> None:
    (running.folder / "models" / "c.toml").write_text('id = "c"\n')
    (running.folder / "models" / "a.toml").unlink()
    running.until(lambda: running.ask(model="c").status_code == 200)
    assert running.ask(model="small").json()["error"]["code"] == "model_not_found"


def test_unknown_paths_and_methods_are_told_in_the_envelope(running) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("GET", "/health/", 404),
        ("DELETE", "/health", 405),
        ("PUT", "/v1/probe/ask", 405),
        ("OPTIONS", "/v1/models", 405),
    ):
        answer = running.client.request(method, path)
        assert answer.status_code == status, path
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"]
    assert "GET" in running.client.delete("/health").headers["allow"]


def test_what_is_not_http_is_told_in_the_envelope(running) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"invalid_request_error"' in answer


def test_metrics_count_operations(running) -> None:
    assert running.ask().status_code == 200
    text = running.get("/metrics").text
    assert 'nexus_service_requests_total{operation="probe.ask",status="200"} 1.0' in text
    assert 'nexus_service_model_state{model="b",state="failed"} 1.0' in text


def test_a_fault_of_our_own_is_a_500_in_the_envelope(running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.service, "card", lambda: 1 / 0)
    answer = running.get("/v1/metadata")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "Zero" not in answer.text
